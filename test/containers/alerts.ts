/**
 * The running stack of compose.yaml, from a button on the control page to a notification: the images of Prometheus and
 * Alertmanager with the shipped settings, rules and intervals, apps, and a webhook in ALERT_WEBHOOK_URL.
 */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { composeMissing, engineMissing, IMAGES, imageMissing } from '../support/containers/engine.ts'
import {
  alertsOnPage,
  asked,
  eventually,
  press,
  type Stack,
  startStack,
  startWebhookIn,
  sumOf,
  type WebhookContainer,
  webhookUrl,
} from '../support/containers/stack.ts'
import {
  assertPagesForLoadShedding,
  assertPagesForOne521,
  hasAlert,
  reportTime,
} from '../support/monitoring/alertmanager.ts'
import { idleUntilClosed } from '../support/processes/running-proxy.ts'
import { unless } from '../support/programs/programs.ts'

const { NODE_IMAGE, PROMETHEUS_IMAGE, ALERTMANAGER_IMAGE } = IMAGES
const needed = [NODE_IMAGE, PROMETHEUS_IMAGE, ALERTMANAGER_IMAGE].map(imageMissing)
const WEBHOOK = `ahasend-webhook-${process.pid}`

/** Fifteen seconds for a scrape, fifteen for the rules, five for Alertmanager, and time for a slow machine. */
const AT_ONCE_MS = 90_000
/** Longer: a storm must last some time before it pages. */
const STORM_MS = 420_000

describe('The stack notifies the receiver', unless(engineMissing(), composeMissing(), ...needed), () => {
  let stack: Stack
  let webhook: WebhookContainer

  before(async () => {
    const env = {
      ALERT_WEBHOOK_URL: webhookUrl(WEBHOOK),
      PROXY_CLIENTS: 'billing=0.0.0.0/0',
      // nothing is preconnected, so that a fault affects the next connection
      PROXY_WARM_CONNECTIONS: '0',
    }
    stack = await startStack(['proxy', 'prometheus', 'alertmanager', 'rehearsal', 'traffic'], { env })
    webhook = await startWebhookIn(stack, WEBHOOK)
    const accepted = 'smtp_proxy_transactions_total{smtp_transaction_outcome="accepted"}'
    await eventually('Prometheus has counted accepted messages', async () => (await count(`${accepted} > 20`)) > 0)
  })

  after(async () => {
    await webhook?.stop()
    await stack?.down()
  })

  const count = (expression: string) => sumOf(stack.container('prometheus'), expression)
  const rehearse = (button: string) => press(stack.container('rehearsal'), button)

  test('not of a storm of idle disconnects', async () => {
    await rehearse('idle-disconnects')
    const port = stack.container('proxy').getMappedPort(2525)
    const idle = 'smtp_proxy_replies_total{smtp_reply_cause="idle_timeout"}'
    for (const total of [100, 200]) {
      await idleUntilClosed(port, 100)
      // a second scrape shows the growth
      await eventually(`Prometheus has counted ${total} idle disconnects`, async () => (await count(idle)) >= total)
    }
    await rehearse('all-well')
    const storm = 'job_server_client:smtp_proxy_idle_disconnect:increase1h > 50'
    await eventually('the rules have recorded the storm', async () => (await count(storm)) > 0)
    const firing = await asked<{ readonly result: readonly unknown[] }>(
      stack.container('prometheus'),
      `/api/v1/query?query=${encodeURIComponent('ALERTS{alertstate="firing", severity=~"critical|warning"}')}`,
    )
    assert.deepEqual(firing.result, [])
    assert.deepEqual(webhook.calls.all, [])
  })

  test('of a single 521, with the affected app', async (context) => {
    const from = performance.now()
    await rehearse('one-521')
    const call = await webhook.calls.first(hasAlert('AhaSendAccountDisabled'), AT_ONCE_MS)
    reportTime(context, 'one 521', from, call)
    assertPagesForOne521(call, 'rehearsal')
    assert.equal(webhook.calls.all.length, 1)
  })

  test('and the control page shows that this alert fires', async () => {
    const firing = 'data-alert="AhaSendAccountDisabled critical" data-standing="firing"'
    const shown = () => alertsOnPage(stack.container('rehearsal'))
    await eventually('the alert is on the page', async () => (await shown()).includes(firing))
  })

  test('of a storm of 421, as load shedding', async (context) => {
    const from = performance.now()
    await rehearse('load-shedding')
    const call = await webhook.calls.first(hasAlert('AhaSendLoadShedding'), STORM_MS)
    reportTime(context, 'a 421 storm', from, call)
    assertPagesForLoadShedding(call, 'rehearsal')
  })

  test('and of nothing else', () => {
    const notified = webhook.calls.all.flatMap(({ alerts }) => alerts.map(({ labels }) => labels.alertname))
    assert.deepEqual([...new Set(notified)], ['AhaSendAccountDisabled', 'AhaSendLoadShedding'])
  })
})
