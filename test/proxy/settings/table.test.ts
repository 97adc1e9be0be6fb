/** The table of PROXY_* variables: its documentation, and that each default is a value that its row reads. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ROWS } from '../../../proxy/settings/table.ts'
import { markdownTable } from '../../../settings/documentation.ts'

test('the table for the README has a row of three cells for every variable', () => {
  const [head, rule, ...rows] = markdownTable(ROWS).trimEnd().split('\n')
  assert.deepEqual([head, rule], ['| variable | default | meaning |', '|---|---|---|'])
  assert.deepEqual(
    rows.map((row) => /^\| `(PROXY_[A-Z_]+)` \| [^|]* \| [^|]+ \|$/.exec(row)?.[1]),
    ROWS.map(({ variable }) => variable),
  )
  assert.ok(
    rows.includes(
      '| `PROXY_LOG_LEVEL` | `info` | Lowest level of log lines to write: `trace`, `debug`, `info`, `warn`, `error`, ' +
        '`fatal` or `silent`. |',
    ),
  )
})

test('each row reads its own defaults and can be described', () => {
  for (const { variable, default: byDefault, inImage = byDefault, read, effective } of ROWS) {
    for (const text of [byDefault, inImage]) assert.ok('value' in read(text), variable)
    assert.ok(effective, variable)
  }
})

test('each variable is in the table once', () => {
  assert.equal(new Set(ROWS.map(({ variable }) => variable)).size, ROWS.length)
})
