import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { changelog, control, copyright, debianVersion } from '../../../packaging/deb/texts.ts'

describe('a version', () => {
  const versions = [
    ['a release keeps its name', '0.2.0', '0.2.0'],
    ['a pre-release sorts before its release', '0.2.0-rc.1', '0.2.0~rc.1'],
  ] as const
  for (const [what, npm, debian] of versions) test(what, () => assert.equal(debianVersion(npm), debian))
})

test('the control file names the version, the architecture and the size', () => {
  const text = control('1.2.3', 'arm64', 99)
  for (const line of ['Version: 1.2.3', 'Architecture: arm64', 'Installed-Size: 99'])
    assert.ok(text.includes(`\n${line}\n`), line)
  for (const line of text.split('\n')) assert.match(line, /^([A-Z][A-Za-z-]+: .+| \S.*|)$/)
})

test('the changelog has the date as Debian writes it', () => {
  assert.match(
    changelog('1.2.3', 86_400),
    /^ahasend-smtp-proxy \(1\.2\.3\) [\s\S]*> {2}Fri, 02 Jan 1970 00:00:00 \+0000\n$/,
  )
})

test('the copyright file has the license of the project, and leads to the others', () => {
  const text = copyright('MIT License\n')
  for (const part of ['MIT License', 'node.txt', 'packages.txt']) assert.ok(text.includes(part), part)
})
