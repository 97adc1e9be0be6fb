/** The table of PROXY_* variables: its documentation, and that each default is a value that its row reads. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ROWS } from '../../../proxy/settings/table.ts'

test('each row reads its own defaults and can be described', () => {
  for (const { variable, default: byDefault, inImage = byDefault, read, effective } of ROWS) {
    for (const text of [byDefault, inImage]) assert.ok('value' in read(text), variable)
    assert.ok(effective, variable)
  }
})

test('each variable is in the table once', () => {
  assert.equal(new Set(ROWS.map(({ variable }) => variable)).size, ROWS.length)
})
