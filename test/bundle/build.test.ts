/** The build: the same bytes in any folder, no path of the machine, and no module that needs the source tree. */
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { appendFileSync, cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from 'node:fs'
import { SourceMap } from 'node:module'
import { dirname, join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { build, CONTENTS, type Contents, LICENSES_FILE } from '../../bundle/build.ts'
import { temporaryDirectory } from '../support/files/temporary-files.ts'

const ROOT = join(import.meta.dirname, '../..')

/** What the build reads. */
const SOURCES = [
  'package.json',
  'app',
  'bundle',
  'dashboards/alertmanager',
  'dashboards/alerts/outages.ts',
  'dashboards/monitoring',
  'otel',
  'proxy',
  'settings',
  'status',
  'test/demo',
  'test/rehearsal',
  'test/simulator',
  'test/support/files',
  'test/support/tls',
]

/** The SHA-256 of each file of a folder. */
function hashes(folder: string): Record<string, string> {
  const hash = (name: string) =>
    createHash('sha256')
      .update(readFileSync(join(folder, name)))
      .digest('hex')
  return Object.fromEntries(readdirSync(folder).map((name) => [name, hash(name)]))
}

/** A copy of the project, whose packages are a link. */
function copyProject(folder: string): void {
  for (const name of SOURCES) {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    cpSync(join(ROOT, name), join(folder, name), { recursive: true })
  }
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
}

describe('the build', () => {
  const work = temporaryDirectory()
  const read = (contents: Contents, name: string) => readFileSync(join(work.path, contents, name), 'utf8')
  before(async () => {
    for (const contents of ['image', 'package'] as const) await build(contents, join(work.path, contents))
  })
  after(() => work.remove())

  test('writes the programs, their source maps and the licenses', () => {
    for (const contents of ['image', 'package'] as const) {
      const programs = CONTENTS[contents].flatMap((name) => [`${name}.cjs`, `${name}.cjs.map`])
      assert.deepEqual(readdirSync(join(work.path, contents)), [LICENSES_FILE, ...programs].sort())
    }
  })

  test('has the same proxy in the image and in the package', () => {
    for (const name of ['proxy.cjs', 'proxy.cjs.map']) assert.equal(read('image', name), read('package', name))
  })

  test('writes the same bytes in another folder, at another time', () => {
    const copy = join(work.path, 'copy')
    copyProject(copy)
    execFileSync(process.execPath, ['bundle/main.ts'], { cwd: copy })
    assert.deepEqual(hashes(join(copy, 'dist')), hashes(join(work.path, 'package')))
  })

  test('fails if a module needs the source tree', () => {
    const broken = join(work.path, 'broken')
    copyProject(broken)
    appendFileSync(join(broken, 'app/health.ts'), '\nconsole.log(import.meta.url)\n')
    const { status, stderr } = spawnSync(process.execPath, ['bundle/main.ts', '--image'], {
      cwd: broken,
      encoding: 'utf8',
    })
    assert.equal(status, 1)
    assert.match(stderr, /app\/health\.ts:\d+: "import\.meta" is not available/)
  })

  test('contains no path of this machine', () => {
    for (const contents of ['image', 'package'] as const)
      for (const name of readdirSync(join(work.path, contents)))
        assert.ok(!read(contents, name).includes(ROOT), `${contents}/${name}`)
  })

  test('contains the license of each package of the proxy, and of no other in the image', () => {
    const listed = (contents: Contents) => read(contents, LICENSES_FILE).split('\n\n')[1]?.split('\n') ?? []
    const [image, all] = [listed('image'), listed('package')]
    for (const name of ['@opentelemetry/api', 'pino', 'ipaddr.js', 'uplot'])
      assert.ok(
        image.some((line) => line.startsWith(`${name} `)),
        name,
      )
    const onlyInPackage = all.filter((line) => !image.includes(line)).map((line) => line.split(' ')[0])
    for (const name of ['smtp-server', 'nodemailer']) assert.ok(onlyInPackage.includes(name), name)
    assert.deepEqual(
      image.filter((line) => !all.includes(line)),
      [],
    )
  })

  test('has a source map that leads to the line of a source', () => {
    const lines = read('package', 'proxy.cjs').split('\n')
    const line = lines.findIndex((text) => text.includes('draining && '))
    const map = new SourceMap(JSON.parse(read('package', 'proxy.cjs.map')))
    const entry = map.findEntry(line, lines[line]!.indexOf('draining'))
    assert.ok('originalSource' in entry)
    const source = readFileSync(join(ROOT, 'dist', entry.originalSource), 'utf8').split('\n')
    assert.match(source[entry.originalLine] ?? '', /draining/)
  })
})
