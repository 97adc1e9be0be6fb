/** SHA256SUMS is what `sha256sum --check` reads. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { CHECKSUMS_FILE, writeChecksums } from '../../release/checksums.ts'
import { temporaryDirectory } from '../support/files/temporary-files.ts'

test('sha256sum accepts the files, and notices a change', () => {
  using folder = temporaryDirectory('checksums-')
  for (const name of ['b.json', 'a.tgz']) writeFileSync(join(folder.path, name), name)
  writeChecksums(folder.path)
  // a second time: the file does not list itself
  writeChecksums(folder.path)
  const check = () =>
    spawnSync('sha256sum', ['--check', '--strict', CHECKSUMS_FILE], { cwd: folder.path, encoding: 'utf8' })
  assert.deepEqual([check().status, check().stdout], [0, 'a.tgz: OK\nb.json: OK\n'])
  writeFileSync(join(folder.path, 'a.tgz'), 'changed')
  assert.equal(check().status, 1)
})

test('the same files give the same bytes', () => {
  using folder = temporaryDirectory('checksums-')
  writeFileSync(join(folder.path, 'a'), '')
  writeChecksums(folder.path)
  const hash = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'
  assert.equal(readFileSync(join(folder.path, CHECKSUMS_FILE), 'utf8'), `${hash}  a\n`)
})
