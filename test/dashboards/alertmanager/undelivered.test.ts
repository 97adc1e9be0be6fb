/** A failing receiver is reported through the other receivers, by a real Prometheus and a real Alertmanager. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { prometheusRules } from '../../../dashboards/generate/alert-files.ts'
import { stageMissing } from '../../support/monitoring/alert-stage.ts'
import { atOnce, configFor, startAlertmanager } from '../../support/monitoring/alertmanager.ts'
import { startPrometheus } from '../../support/monitoring/prometheus.ts'
import { unless } from '../../support/programs/programs.ts'
import { Arrivals } from '../../support/waiting/arrivals.ts'

/** Alertmanager retries for ten seconds, however short its intervals are. */
const LIMIT_MS = 60_000
/** The factor for all times in the rules: 15 minutes take 15 seconds. */
const SCALE = 1 / 60

/** A server that answers 500 at /broken and 200 elsewhere; `received` holds the bodies of all other requests. */
async function startReceivers(stack: AsyncDisposableStack) {
  const received = new Arrivals<string>()
  const server = createServer(async (request, response) => {
    const body = await text(request)
    if (request.url !== '/broken') received.add(body)
    response.writeHead(request.url === '/broken' ? 500 : 200).end('ok')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  stack.defer(() => {
    server.closeAllConnections()
    server.close()
  })
  return { received, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

test('Slack reports a webhook that answers 500, with a link to the runbook', unless(stageMissing()), async () => {
  await using stack = new AsyncDisposableStack()
  const { received, url } = await startReceivers(stack)
  const config = configFor({ ALERT_WEBHOOK_URL: `${url}/broken`, ALERT_SLACK_URL: `${url}/slack` })
  const alertmanager = stack.use(await startAlertmanager(atOnce(config)))
  const prometheus = stack.use(
    await startPrometheus({
      targets: [{ job: 'alertmanager', url: `http://${alertmanager.address}/metrics` }],
      rules: prometheusRules({ timeScale: SCALE }),
      alertmanager: alertmanager.address,
    }),
  )
  await prometheus.waitFor('alertmanager_notifications_failed_total{integration="webhook"} offset 1s')
  assert.deepEqual(await prometheus.query('ALERTS{alertname="SmtpProxyAlertsNotDelivered"}'), [])
  await alertmanager.fire([{ alertname: 'AhaSendMailInDoubt', severity: 'warning', job: 'ahasend-smtp-proxy' }])
  const [sample] = await prometheus.waitFor('ALERTS{alertname="SmtpProxyAlertsNotDelivered"}', undefined, LIMIT_MS)
  assert.equal(sample?.labels.integration, 'webhook')
  const message = await received.first((body) => body.includes('SmtpProxyAlertsNotDelivered'), LIMIT_MS)
  assert.match(message, /Alertmanager could not deliver \d+ notifications to webhook in 15 minutes\./)
  assert.match(message, /runbooks\/SmtpProxyAlertsNotDelivered\.md\|Runbook/)
  assert.doesNotMatch(message, /Dashboard/)
})
