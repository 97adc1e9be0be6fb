/**
 * compose.yaml at work, from a button on the page of faults to the notification: the images of Prometheus and Alertmanager
 * with the settings, rules and intervals that they ship with, apps, and a webhook as ALERT_WEBHOOK_URL names it.
 */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { composeMissing, engineMissing, IMAGES, imageMissing } from '../support/containers/engine.ts'
import {
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
  reportTime,
  tells,
} from '../support/monitoring/alertmanager.ts'
import { idleUntilClosed } from '../support/processes/running-proxy.ts'
import { unless } from '../support/programs/programs.ts'

const { NODE_IMAGE, PROMETHEUS_IMAGE, ALERTMANAGER_IMAGE } = IMAGES
const needed = [NODE_IMAGE, PROMETHEUS_IMAGE, ALERTMANAGER_IMAGE].map(imageMissing)
const WEBHOOK = `ahasend-webhook-${process.pid}`

/** Fifteen seconds for a scrape, as many for the rules, five in Alertmanager, and a slow machine. */
const AT_ONCE_MS = 90_000
/** A storm must last before it pages. */
const STORM_MS = 420_000

describe('notifications of the stack', unless(engineMissing(), composeMissing(), ...needed), () => {
  let stack: Stack
  let webhook: WebhookContainer

  before(async () => {
    const env = {
      ALERT_WEBHOOK_URL: webhookUrl(WEBHOOK),
      PROXY_CLIENTS: 'billing=0.0.0.0/0',
      // a fault applies to the next connection, not to the one after the preconnected ones
      PROXY_WARM_CONNECTIONS: '0',
    }
    stack = await startStack(['proxy', 'prometheus', 'alertmanager', 'rehearsal', 'traffic'], { env })
    webhook = await startWebhookIn(stack, WEBHOOK)
    const accepted = 'smtp_proxy_transactions_total{smtp_transaction_outcome="accepted"}'
    await eventually('Prometheus counts mail', async () => (await count(`${accepted} > 20`)) > 0)
  })

  after(async () => {
    await webhook?.stop()
    await stack?.down()
  })

  const count = (expression: string) => sumOf(stack.container('prometheus'), expression)
  const rehearse = (button: string) => press(stack.container('rehearsal'), button)

  test('a storm of idle disconnects notifies no one', async () => {
    await rehearse('idle-disconnects')
    const port = stack.container('proxy').getMappedPort(2525)
    const idle = 'smtp_proxy_replies_total{smtp_reply_cause="idle_timeout"}'
    for (const total of [100, 200]) {
      await idleUntilClosed(port, 100)
      // a second scrape shows the growth
      await eventually(`Prometheus counts ${total}`, async () => (await count(idle)) >= total)
    }
    await rehearse('all-well')
    const storm = 'job_server_client:smtp_proxy_idle_disconnect:increase1h > 50'
    await eventually('the rules see the storm', async () => (await count(storm)) > 0)
    const firing = await asked<{ readonly result: readonly unknown[] }>(
      stack.container('prometheus'),
      `/api/v1/query?query=${encodeURIComponent('ALERTS{alertstate="firing", severity=~"critical|warning"}')}`,
    )
    assert.deepEqual(firing.result, [])
    assert.deepEqual(webhook.calls.all, [])
  })

  test('a single 521 pages, with the app that it hit', async (context) => {
    const from = performance.now()
    await rehearse('one-521')
    const call = await webhook.calls.first(tells('AhaSendAccountDisabled'), AT_ONCE_MS)
    reportTime(context, 'one 521', from, call)
    assertPagesForOne521(call, 'rehearsal')
    assert.equal(webhook.calls.all.length, 1)
  })

  test('a storm of 421 pages as load shedding', async (context) => {
    const from = performance.now()
    await rehearse('load-shedding')
    const call = await webhook.calls.first(tells('AhaSendLoadShedding'), STORM_MS)
    reportTime(context, 'a 421 storm', from, call)
    assertPagesForLoadShedding(call, 'rehearsal')
  })

  test('nothing else notifies', () => {
    const notified = webhook.calls.all.flatMap(({ alerts }) => alerts.map(({ labels }) => labels.alertname))
    assert.deepEqual([...new Set(notified)], ['AhaSendAccountDisabled', 'AhaSendLoadShedding'])
  })
})
