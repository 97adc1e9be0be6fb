import assert from 'node:assert/strict'
import { test } from 'node:test'
import { rehearsalCommands } from '../../app/rehearsal.ts'
import { REHEARSAL_FILE } from '../../app/rehearsal-file.ts'

test('the sources and the image have no command demo or rehearsal', () => {
  assert.equal(REHEARSAL_FILE, undefined)
  assert.deepEqual(rehearsalCommands(), [])
  assert.deepEqual(rehearsalCommands(`${import.meta.filename}.missing`), [])
})

test('with the second file of the npm package, both exist', () => {
  const names = rehearsalCommands(import.meta.filename).map(({ name }) => name)
  assert.deepEqual(names, ['demo', 'rehearsal'])
})
