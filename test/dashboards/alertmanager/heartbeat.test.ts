/** The heartbeat: Alertmanager calls the URL while Prometheus evaluates the rules and sends alerts, and no longer. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { prometheusRules } from '../../../dashboards/generate/alert-files.ts'
import { stageMissing } from '../../support/monitoring/alert-stage.ts'
import {
  alertmanagerMissing,
  configFor,
  hasAlert,
  startAlertmanager,
  startWebhook,
} from '../../support/monitoring/alertmanager.ts'
import { startPrometheus } from '../../support/monitoring/prometheus.ts'
import { unless } from '../../support/programs/programs.ts'

/** The factor for all times in Alertmanager's configuration: a minute takes three seconds. */
const SCALE = 1 / 20
const MINUTE_MS = 60_000 * SCALE
const LIMIT_MS = 30_000

const UNITS = { s: 1000, m: 60_000, h: 3_600_000 } as const

/** The generated configuration, with all times multiplied by SCALE. */
function scaled(config: ReturnType<typeof configFor>): string {
  const times = /"(group_wait|group_interval|repeat_interval)":"(\d+)([smh])"/g
  return JSON.stringify(config).replaceAll(
    times,
    (_, key, n, unit: keyof typeof UNITS) => `"${key}":"${Number(n) * UNITS[unit] * SCALE}ms"`,
  )
}

async function stage(stack: AsyncDisposableStack) {
  const heartbeat = stack.use(await startWebhook())
  const webhook = stack.use(await startWebhook())
  const config = configFor({ ALERT_HEARTBEAT_URL: heartbeat.url, ALERT_WEBHOOK_URL: webhook.url })
  const alertmanager = stack.use(await startAlertmanager(scaled(config)))
  return { heartbeat: heartbeat.calls, webhook: webhook.calls, alertmanager }
}

const WATCHDOG = { alertname: 'SmtpProxyWatchdog', severity: 'none' }

test(
  'Alertmanager calls the URL every minute and notifies no other receiver',
  unless(stageMissing()),
  async (context) => {
    await using stack = new AsyncDisposableStack()
    const { heartbeat, webhook, alertmanager } = await stage(stack)
    stack.use(await startPrometheus({ rules: prometheusRules(), alertmanager: alertmanager.address }))
    await heartbeat.after(3, LIMIT_MS)
    const times = heartbeat.all.map(({ at }) => at)
    const apart = times.slice(1).map((at, index) => at - times[index]!)
    context.diagnostic(`milliseconds between calls, with a minute of ${MINUTE_MS}: ${apart.map(Math.round).join(' ')}`)
    // the sum of all intervals: if the machine stalls, one call is late, but not the next ones
    const minutes = (times[3]! - times[0]!) / MINUTE_MS
    assert.ok(minutes > 3 * 0.6 && minutes < 3 * 1.5, `${minutes}`)
    assert.ok(heartbeat.all.every(hasAlert('SmtpProxyWatchdog')))
    assert.ok(heartbeat.all.every(({ receiver, alerts }) => receiver === 'heartbeat' && alerts.length === 1))
    assert.deepEqual(webhook.all, [])
  },
)

test('an alert that fires as soon as Prometheus starts is sent immediately', unless(stageMissing()), async () => {
  await using stack = new AsyncDisposableStack()
  const { heartbeat, alertmanager } = await stage(stack)
  const { alertname, ...labels } = WATCHDOG
  const rules = JSON.stringify({
    groups: [{ name: 'first', rules: [{ alert: alertname, expr: 'vector(1)', labels }] }],
  })
  stack.use(await startPrometheus({ rules, scrapeIntervalMs: 10, alertmanager: alertmanager.address }))
  // Prometheus sends an alert again only after a minute, which is not scaled: the limit is shorter
  await heartbeat.after(0, LIMIT_MS)
})

test(
  'the calls stop when Prometheus no longer sends the alert, without a call about its resolution',
  unless(alertmanagerMissing()),
  async () => {
    await using stack = new AsyncDisposableStack()
    const { heartbeat, webhook, alertmanager } = await stage(stack)
    const endsAt = new Date(Date.now() + MINUTE_MS * 2.5).toISOString()
    await alertmanager.post([{ labels: WATCHDOG, endsAt }])
    await heartbeat.after(1, LIMIT_MS)
    const end = performance.now() + LIMIT_MS
    while ((await alertmanager.alerts()).length > 0) {
      assert.ok(performance.now() < end, 'Alertmanager still knows a resolved alert')
      await pause(100)
    }
    // the last call may be in flight
    await pause(MINUTE_MS)
    const { length } = heartbeat.all
    await pause(MINUTE_MS * 2)
    assert.equal(heartbeat.all.length, length)
    assert.ok(heartbeat.all.every(({ status }) => status === 'firing'))
    assert.deepEqual(webhook.all, [])
  },
)

test('the watchdog of another system does not replace ours', unless(alertmanagerMissing()), async () => {
  await using stack = new AsyncDisposableStack()
  const { heartbeat, webhook, alertmanager } = await stage(stack)
  await alertmanager.fire([{ ...WATCHDOG, alertname: 'Watchdog' }])
  await alertmanager.fire([WATCHDOG])
  await heartbeat.after(1, LIMIT_MS)
  assert.ok(heartbeat.all.every(hasAlert('SmtpProxyWatchdog')))
  assert.deepEqual(webhook.all, [])
})
