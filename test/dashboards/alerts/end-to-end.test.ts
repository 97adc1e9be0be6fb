/**
 * From AhaSend's reply to the notification: an app, the proxy as a process, a real Prometheus with the generated rules and a
 * real Alertmanager with a webhook. A minute of the rules takes three seconds; otherwise they are unchanged.
 */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { type AlertStage, App, stageMissing, startAlertStage } from '../../support/monitoring/alert-stage.ts'
import {
  assertPagesForLoadShedding,
  assertPagesForOne521,
  hasAlert,
  onlyAlertOf,
  reportTime,
} from '../../support/monitoring/alertmanager.ts'
import { idleUntilClosed } from '../../support/processes/running-proxy.ts'
import { unless } from '../../support/programs/programs.ts'

const SCALE = 1 / 20
const EVERY_MS = 500
/** Alertmanager's times are not scaled: a group of critical alerts waits five seconds. */
const LIMIT_MS = 90_000

/** Everything runs, mail has been flowing for a few of the rules' minutes, and no notification was sent. */
async function startCalmly(context: TestContext): Promise<{ stage: AlertStage; app: App }> {
  const stage = await startAlertStage({ timeScale: SCALE, everyMs: EVERY_MS })
  context.after(() => stage[Symbol.asyncDispose]())
  const app = new App(stage.proxy, 100)
  context.after(() => app[Symbol.asyncDispose]())
  const accepted = 'smtp_proxy_transactions_total{smtp_transaction_outcome="accepted"}'
  await stage.prometheus.waitFor(`sum(${accepted}) > 20 and sum(${accepted} offset 3s) > 0`)
  assert.deepEqual(stage.webhook.calls.all, [])
  return { stage, app }
}

test('a single 521 is notified with the affected app', unless(stageMissing()), async (context) => {
  const { stage, app } = await startCalmly(context)
  const from = performance.now()
  stage.simulator.faults.set('account-disabled', { times: 1 })
  const call = await stage.webhook.calls.first(hasAlert('AhaSendAccountDisabled'), LIMIT_MS)
  reportTime(context, 'one 521', from, call)
  assertPagesForOne521(call, 'localhost')
  assert.deepEqual(
    app.codes.filter((code) => code !== 250),
    [521],
  )
  assert.equal(stage.webhook.calls.all.length, 1)
})

test('the first 521 of a proxy that just started is notified too', unless(stageMissing()), async (context) => {
  const stage = await startAlertStage({ timeScale: SCALE, everyMs: EVERY_MS })
  context.after(() => stage[Symbol.asyncDispose]())
  stage.simulator.faults.set('521-at-ehlo', { times: 1 })
  await using app = new App(stage.proxy, 100)
  const call = await stage.webhook.calls.first(hasAlert('AhaSendAccountDisabled'), LIMIT_MS)
  assert.equal(onlyAlertOf(call).labels.smtp_client_name, 'billing')
  assert.equal(app.codes.filter((code) => code === 521).length, 1)
})

test('a 421 storm is notified only as load shedding', unless(stageMissing()), async (context) => {
  const { stage } = await startCalmly(context)
  const from = performance.now()
  stage.simulator.faults.set('load-shedding')
  const call = await stage.webhook.calls.first(hasAlert('AhaSendLoadShedding'), LIMIT_MS)
  reportTime(context, 'a 421 storm', from, call)
  assertPagesForLoadShedding(call, 'localhost')
  // the error budget burns as fast, but its alert adds no information
  await stage.prometheus.waitFor('job:smtp_proxy_mail_failure_ratio:increase1h > 0.1')
  await stage.prometheus.waitFor('job:smtp_proxy_mail_failure_ratio:increase5m > 0.1')
  const budget = 'ALERTS{alertname="SmtpProxyErrorBudgetBurning", severity="critical", alertstate="firing"}'
  assert.deepEqual(await stage.prometheus.query(budget), [])
  assert.equal(stage.webhook.calls.all.length, 1)
})

test('a storm of idle disconnects is not notified', unless(stageMissing()), async (context) => {
  const { stage } = await startCalmly(context)
  // long enough for apps that are not idle, even on a machine that stalls
  stage.simulator.faults.set('idle-5000')
  await idleUntilClosed(stage.proxy.port, 200)
  const idle = 'smtp_proxy_replies_total{smtp_command="UNSOLICITED", smtp_reply_cause="idle_timeout"}'
  await stage.prometheus.waitFor(`sum(${idle}) >= 200`)
  // the info alert for the app's developer is raised, so the rules saw the storm
  await stage.prometheus.waitFor(
    'ALERTS{alertname="AhaSendIdleDisconnects", severity="info", smtp_client_name="billing"}',
  )
  assert.deepEqual(await stage.prometheus.query('ALERTS{alertstate="firing", severity!~"info|none"}'), [])
  // the next critical alert is the first notification
  stage.simulator.faults.set('account-disabled', { times: 1 })
  await stage.webhook.calls.first(hasAlert('AhaSendAccountDisabled'), LIMIT_MS)
  assert.equal(stage.webhook.calls.all.length, 1)
})

test('a proxy that dies is notified, but none of the consequences', unless(stageMissing()), async (context) => {
  const { stage } = await startCalmly(context)
  const from = performance.now()
  await stage.proxy.stop('SIGKILL')
  const call = await stage.webhook.calls.first(hasAlert('SmtpProxyDown'), LIMIT_MS)
  reportTime(context, 'a dead proxy', from, call)
  assert.deepEqual(onlyAlertOf(call).labels, {
    alertname: 'SmtpProxyDown',
    severity: 'critical',
    job: 'ahasend-smtp-proxy',
  })
  assert.equal(stage.webhook.calls.all.length, 1)
})
