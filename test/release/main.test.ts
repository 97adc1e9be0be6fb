/** The commands of a release, as the workflows call them. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import packageJson from '../../package.json' with { type: 'json' }
import { temporaryDirectory } from '../support/files/temporary-files.ts'

const ROOT = join(import.meta.dirname, '../..')

function run(...args: readonly string[]) {
  return spawnSync(process.execPath, ['release/main.ts', ...args], { cwd: ROOT, encoding: 'utf8' })
}

test('without a command, or with an unknown one, the commands are listed', () => {
  for (const args of [[], ['constructor']]) {
    const { status, stderr } = run(...args)
    assert.equal(status, 1)
    assert.match(stderr, /^Usage: node release\/main\.ts COMMAND\n {2}prepare VERSION /)
  }
})

test('check-tag accepts the tag of the version only', () => {
  assert.equal(run('check-tag', `v${packageJson.version}`).status, 0)
  const { status, stderr } = run('check-tag', 'v9.9.9')
  assert.equal(status, 1)
  assert.match(stderr, /^the tag is v9\.9\.9, and the version of package\.json needs v/)
})

test('notes prints the notes with the digests of a file', () => {
  using folder = temporaryDirectory('notes-')
  const file = join(folder.path, 'digests')
  writeFileSync(file, `ghcr.io/a/b sha256:${'0'.repeat(64)}\n`)
  const { status, stdout } = run('notes', file)
  assert.equal(status, 0)
  assert.match(stdout, /^### Added\n[\s\S]*\| `ghcr\.io\/a\/b:/)
})

test('checksums refuses a folder that is not complete', () => {
  using folder = temporaryDirectory('checksums-')
  const { status, stderr } = run('checksums', folder.path)
  assert.equal(status, 1)
  assert.match(stderr, /has no compose\.yaml$/m)
})
