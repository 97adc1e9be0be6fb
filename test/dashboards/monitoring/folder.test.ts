/** The configuration of the monitoring, as its program copies it to a volume. */
import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { type Outcome, run } from '../../clients/command.ts'
import { type TemporaryDirectory, temporaryDirectory } from '../../support/files/temporary-files.ts'

const PROGRAM = join(import.meta.dirname, '../../..', 'dashboards', 'monitoring', 'main.ts')

function program(...args: readonly string[]): Promise<Outcome> {
  return run({ file: process.execPath, args: [PROGRAM, ...args], env: {} })
}

/** The files of a folder with their texts. */
function contentsOf(folder: string): Readonly<Record<string, string>> {
  const files = readdirSync(folder, { withFileTypes: true, recursive: true }).filter((entry) => entry.isFile())
  const paths = files.map(({ parentPath, name }) => join(parentPath, name)).sort()
  return Object.fromEntries(paths.map((path) => [path.slice(folder.length + 1), readFileSync(path, 'utf8')]))
}

const FILES = { 'prometheus.yml': 'scrape', 'rules/a.rules.yaml': 'alerts', 'rules/b.rules.yaml': 'more' }

describe('the configuration of the monitoring', () => {
  let work: TemporaryDirectory
  let from = ''
  let to = ''
  beforeEach(() => {
    work = temporaryDirectory('monitoring-')
    from = join(work.path, 'from')
    to = join(work.path, 'to')
    mkdirSync(join(from, 'rules'), { recursive: true })
    for (const [name, text] of Object.entries(FILES)) writeFileSync(join(from, name), text)
  })
  afterEach(() => work.remove())

  test('is copied, and the output names each file', async () => {
    const { code, stdout, stderr } = await program(from, to)
    assert.deepEqual({ code, stderr }, { code: 0, stderr: '' })
    assert.equal(stdout, `${to}: prometheus.yml, rules/a.rules.yaml, rules/b.rules.yaml\n`)
    assert.deepEqual(contentsOf(to), FILES)
  })

  test('replaces that of an earlier version: no file of it remains, nor of an interrupted copy', async () => {
    await program(from, to)
    mkdirSync(join(to, 'old', 'folder'), { recursive: true })
    for (const name of [
      'old/folder/x.yaml',
      'rules/renamed.rules.yaml',
      'rules/a.rules.yaml.new',
      'rules/a.rules.yaml',
    ])
      writeFileSync(join(to, name), 'old')
    assert.equal((await program(from, to)).code, 0)
    assert.deepEqual(contentsOf(to), FILES)
  })

  test('may have a folder where an earlier version had a file, and a file where it had a folder', async () => {
    mkdirSync(join(to, 'prometheus.yml', 'folder'), { recursive: true })
    writeFileSync(join(to, 'rules'), 'old')
    const { code, stderr } = await program(from, to)
    assert.deepEqual({ code, stderr }, { code: 0, stderr: '' })
    assert.deepEqual(contentsOf(to), FILES)
  })

  test('can be read by every user, because Prometheus, Tempo and Grafana have users of their own', async () => {
    chmodSync(join(from, 'prometheus.yml'), 0o600)
    chmodSync(join(from, 'rules'), 0o700)
    await program(from, to)
    const modes = ['prometheus.yml', 'rules', 'rules/a.rules.yaml'].map((name) => statSync(join(to, name)).mode & 0o777)
    assert.deepEqual(modes, [0o644, 0o755, 0o644])
  })

  test('has no half-written file at any time: a reader that opened a file keeps the old one', async () => {
    await program(from, to)
    const before = statSync(join(to, 'prometheus.yml')).ino
    writeFileSync(join(from, 'prometheus.yml'), 'another')
    await program(from, to)
    assert.notEqual(statSync(join(to, 'prometheus.yml')).ino, before)
  })

  test('that cannot be written gives one line and exit code 1', async () => {
    writeFileSync(to, 'a file')
    const { code, stdout, stderr } = await program(from, to)
    assert.deepEqual({ code, stdout }, { code: 1, stdout: '' })
    assert.match(stderr, /^.*to: not written: EEXIST: .*\n$/)
  })

  test('needs two folders: otherwise, exit code 2', async () => {
    const { code, stderr } = await program(from)
    assert.equal(code, 2)
    assert.match(stderr, /^usage: node .*main\.ts FROM TO\n$/)
  })
})
