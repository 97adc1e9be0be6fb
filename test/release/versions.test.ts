/** All files show one version, and a release changes it in all of them. */
import assert from 'node:assert/strict'
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, test } from 'node:test'
import { readChangelog } from '../../release/changelog.ts'
import { checkTag, currentVersion, mistakesOfVersions, PLACES, prepareRelease } from '../../release/versions.ts'
import { type TemporaryDirectory, temporaryDirectory } from '../support/files/temporary-files.ts'

const ROOT = join(import.meta.dirname, '../..')
const VERSION = currentVersion(ROOT)

/** A copy of the files that show the version. */
function copyOfFiles(): TemporaryDirectory {
  const copy = temporaryDirectory('versions-')
  for (const file of [...PLACES.map(({ file }) => file), 'CHANGELOG.md']) {
    mkdirSync(dirname(join(copy.path, file)), { recursive: true })
    cpSync(join(ROOT, file), join(copy.path, file))
  }
  return copy
}

function edit(directory: TemporaryDirectory, file: string, from: string | RegExp, to: string): void {
  const text = readFileSync(join(directory.path, file), 'utf8')
  assert.notEqual(text.replace(from, to), text)
  writeFileSync(join(directory.path, file), text.replace(from, to))
}

test('all files show the version of package.json, and CHANGELOG.md has a section for it', () => {
  assert.deepEqual(mistakesOfVersions(ROOT), [])
})

describe('A difference is reported', () => {
  for (const { file } of PLACES.filter(({ file }) => file !== 'package.json')) {
    test(file, () => {
      using copy = copyOfFiles()
      edit(copy, file, VERSION, '9.9.9')
      assert.deepEqual(mistakesOfVersions(copy.path), [`${file} shows 9.9.9, and package.json the version ${VERSION}`])
    })
  }

  test('the second place in package-lock.json', () => {
    using copy = copyOfFiles()
    edit(copy, 'package-lock.json', new RegExp(`(${VERSION}[\\s\\S]*?)${VERSION}`), '$19.9.9')
    assert.match(mistakesOfVersions(copy.path).join('\n'), /^package-lock\.json shows 9\.9\.9,[^\n]*$/)
  })

  test('CHANGELOG.md', () => {
    using copy = copyOfFiles()
    edit(copy, 'CHANGELOG.md', `## [${VERSION}]`, '## [9.9.9]')
    edit(copy, 'CHANGELOG.md', `[${VERSION}]:`, '[9.9.9]:')
    assert.match(mistakesOfVersions(copy.path).join('\n'), /^CHANGELOG\.md shows 9\.9\.9/)
  })

  test('a file that no longer shows it', () => {
    using copy = copyOfFiles()
    edit(copy, 'Dockerfile', 'org.opencontainers.image.version', 'org.opencontainers.image.title')
    assert.match(mistakesOfVersions(copy.path).join('\n'), /^Dockerfile shows no version/)
  })
})

describe('A tag', () => {
  test('of the version is accepted', () => checkTag(ROOT, `v${VERSION}`))

  for (const tag of [VERSION, 'v9.9.9', ''])
    test(`"${tag}" is refused`, () =>
      assert.throws(() => checkTag(ROOT, tag), new RegExp(`the tag is ${tag}, and the version .* needs v${VERSION}`)))

  test('is refused if a file shows another version', () => {
    using copy = copyOfFiles()
    edit(copy, 'Dockerfile', VERSION, '9.9.9')
    assert.throws(() => checkTag(copy.path, `v${VERSION}`), /^Error: Dockerfile shows 9\.9\.9/)
  })
})

test('a release writes the version into all files, and dates the unreleased changes', () => {
  using copy = copyOfFiles()
  edit(copy, 'CHANGELOG.md', /^## \[Unreleased\]\n[\s\S]*?(?=^## )/m, '## [Unreleased]\n\n### Added\n\n- One.\n\n')
  prepareRelease(copy.path, '7.8.9', '2031-02-03')
  assert.equal(currentVersion(copy.path), '7.8.9')
  checkTag(copy.path, 'v7.8.9')
  const [, newest] = readChangelog(readFileSync(join(copy.path, 'CHANGELOG.md'), 'utf8'))
  assert.deepEqual(newest, { name: '7.8.9', date: '2031-02-03', body: '### Added\n\n- One.' })
})

test('a release needs a version', () => {
  assert.throws(() => prepareRelease(ROOT, 'v1', '2031-02-03'), /"v1" is not a version such as 0\.3\.0/)
})
