import assert from 'node:assert/strict'
import { chmodSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { writeSecretFile } from '../../../dashboards/alertmanager/secret-file.ts'
import { temporaryDirectory } from '../../support/files/temporary-files.ts'

function modeOf(file: string): string {
  return (statSync(file).mode & 0o777).toString(8)
}

describe('A file with secrets', () => {
  test('can be read by its owner only', () => {
    using directory = temporaryDirectory()
    const file = join(directory.path, 'new')
    assert.equal(writeSecretFile(file, 'secret'), undefined)
    assert.deepEqual([readFileSync(file, 'utf8'), modeOf(file)], ['secret', '600'])
  })

  test('replaces an existing file that everyone could read', () => {
    using directory = temporaryDirectory()
    const file = join(directory.path, 'existing')
    writeFileSync(file, 'a longer text than the next one')
    chmodSync(file, 0o666)
    assert.equal(writeSecretFile(file, 'secret'), undefined)
    assert.deepEqual([readFileSync(file, 'utf8'), modeOf(file)], ['secret', '600'])
  })

  for (const [what, path, reason] of [
    ['in a directory that does not exist', 'missing/file', '(ENOENT). Create its directory first.'],
    ['that is a directory', '.', '(EISDIR). It is a directory: choose a file in it.'],
    ['below a file', 'file/below', '(ENOTDIR). Choose another file, or change its owner or mode.'],
  ] as const) {
    test(`${what} cannot be written: one sentence names the reason and the remedy`, () => {
      using directory = temporaryDirectory()
      writeFileSync(join(directory.path, 'file'), '')
      const file = join(directory.path, path)
      const failure = writeSecretFile(file, 'secret')
      assert.equal(failure, `${file}: cannot be written ${reason}`)
      assert.doesNotMatch(failure, /secret/)
    })
  }
})
