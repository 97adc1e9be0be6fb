/** The limits of the burn-rate alerts. scenarios/temporary-failures.ts and error-budget.ts test when they fire. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { burnRateAlerts } from '../../../dashboards/alerts/burn-rate.ts'
import { HOUR, MINUTE } from '../../../dashboards/promql/durations.ts'
import { RuleMaker } from '../../../dashboards/promql/rule-maker.ts'

const make = new RuleMaker()
const bad = { what: 'bad', by: ['job'], of: (window: number) => make.increase('bad', window) } as const
const alerts = burnRateAlerts(
  make,
  { what: 'share', bad, total: (window) => make.increase('total', window) },
  { name: 'SmtpProxyErrorBudgetBurning', summary: 'Too many failures.', description: () => 'Failures.' },
)

/** The failure share that spends the budget at 14.4, 6 and 1 times the allowed rate, if 0.5% may fail. */
const LIMITS: readonly (readonly [severity: string, limit: string, long: string, short: string])[] = [
  ['critical', '0.072', '1h', '5m'],
  ['critical', '0.03', '6h', '30m'],
  ['warning', '0.005', '3d', '6h'],
]

for (const [severity, limit, long, short] of LIMITS) {
  test(`${severity}: more than ${limit} over ${long} and over ${short}, with at least 5 failures`, () => {
    const expr = alerts.find((alert) => alert.severity === severity)?.expr ?? ''
    const conditions = [long, short].map((window) => `job:smtp_proxy_share_ratio:increase${window} > ${limit}`)
    const expected = [...conditions, `job:smtp_proxy_bad:increase${long} >= 5`].join('\nand\n')
    assert.ok(expr.replaceAll(/^ +/gm, '').includes(expected), expr)
  })
}

test('the critical alert waits a minute, the warning an hour', () => {
  assert.deepEqual(
    alerts.map(({ severity, for: wait }) => [severity, wait]),
    [
      ['critical', MINUTE],
      ['warning', HOUR],
    ],
  )
})

test('a ratio is recorded as failures over all attempts', () => {
  const ratio = make.recordings.find(({ name }) => name === 'job:smtp_proxy_share_ratio:increase1h')
  assert.equal(ratio?.expr, 'job:smtp_proxy_bad:increase1h\n/\nincrease(total[1h])')
})
