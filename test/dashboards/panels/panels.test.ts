/** Queries of panels and properties of their series. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { overrideOfWord, sumBy, target } from '../../../dashboards/panels/panels.ts'

test('a sum names its series by the values of its labels', () => {
  assert.deepEqual(sumBy('x', 'smtp.reply.code', 'error.type'), {
    expr: 'sum by (smtp_reply_code, error_type) (x)',
    legend: '{{smtp_reply_code}} {{error_type}}',
  })
})

test('queries have letters, and series without a legend are named by Grafana', () => {
  const { refId, legendFormat } = target({ expr: 'x' }, 2).build() as { refId: string; legendFormat?: string }
  assert.deepEqual([refId, legendFormat], ['C', '__auto'])
})

const NAMES: readonly (readonly [name: string, matches: boolean])[] = [
  ['tls_failed', true],
  ['billing tls_failed', true],
  ['tls_failed billing', false],
  ['app_tls_failed', false],
]

for (const [name, matches] of NAMES) {
  test(`the colour of "tls_failed" ${matches ? 'applies' : 'does not apply'} to the series "${name}"`, () => {
    const pattern = overrideOfWord('tls_failed', {}).matcher.options
    assert.equal(new RegExp(pattern.slice(1, -1)).test(name), matches)
  })
}
