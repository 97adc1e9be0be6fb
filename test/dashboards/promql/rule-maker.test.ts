/** The expressions of rules: time scale, sums and recordings. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HOUR, MINUTE } from '../../../dashboards/promql/durations.ts'
import { type Count, RuleMaker } from '../../../dashboards/promql/rule-maker.ts'

/** Turns minutes into seconds. */
const SCALE = 1 / 60

const EXPRESSIONS: readonly (readonly [expected: string, scaled: string, expr: (make: RuleMaker) => string])[] = [
  ['1h', '1m', (make) => make.span(HOUR)],
  ['increase(x[5m])', 'increase(x[5s])', (make) => make.increase('x', 5 * MINUTE)],
  ['increase(x[5m] offset 1h)', 'increase(x[5s] offset 1m)', (make) => make.increaseBefore('x', 5 * MINUTE, HOUR)],
  ['sum by (job, instance) (x)', 'sum by (job, instance) (x)', (make) => make.sum(['job', 'instance'], 'x')],
]

for (const [expected, scaled, expr] of EXPRESSIONS) {
  test(expected, () => {
    assert.equal(expr(new RuleMaker()), expected)
    assert.equal(expr(new RuleMaker({ timeScale: SCALE })), scaled)
  })
}

test('the first event of a series counts within the scaled window', () => {
  const expr = new RuleMaker({ timeScale: SCALE }).increaseWithFirst('observerFailures', 'x', HOUR)
  assert.match(expr, /process_uptime_seconds\{\} < 60\) > increase\(x\[1m\]\)/)
  assert.match(expr, /last_over_time\(x\[6m\] offset 1m\)/)
})

const FAILURES: Count = { what: 'failure', by: ['job', 'server.address'], of: () => 'x' }

test('a count is recorded once for each window, under a name with its labels', () => {
  const make = new RuleMaker()
  const names = [HOUR, HOUR, 5 * MINUTE].map((window) => make.count(FAILURES, window))
  const [hour, minutes] = ['job_server:smtp_proxy_failure:increase1h', 'job_server:smtp_proxy_failure:increase5m']
  assert.deepEqual(names, [hour, hour, minutes])
  assert.deepEqual(make.recordings, [
    { name: hour, expr: 'sum by (job, server_address) (x)', window: HOUR },
    { name: minutes, expr: 'sum by (job, server_address) (x)', window: 5 * MINUTE },
  ])
})

test('names of recordings do not depend on the time scale', () => {
  assert.equal(new RuleMaker({ timeScale: SCALE }).count(FAILURES, HOUR), new RuleMaker().count(FAILURES, HOUR))
})

test('without recordings, expressions replace their names, and ALERTS is not available', () => {
  const make = new RuleMaker({ recording: false })
  assert.equal(make.count(FAILURES, HOUR), '(sum by (job, server_address) (x))')
  assert.equal(make.fired(['SmtpProxyDown'], 'critical', HOUR), undefined)
  assert.deepEqual(make.recordings, [])
})

test('fired alerts are found by name and severity', () => {
  assert.equal(
    new RuleMaker().fired(['A', 'B'], 'critical', 5 * MINUTE),
    'count by (job) (count_over_time(ALERTS{alertname=~"A|B", severity="critical", alertstate="firing"}[5m]))',
  )
})
