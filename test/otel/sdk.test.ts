import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Sdk, start } from '../../otel/sdk.ts'
import packageJson from '../../package.json' with { type: 'json' }
import { settingsOf } from '../support/otlp/otel-settings.ts'
import { seriesOf } from '../support/telemetry/scrape.ts'
import { oneMail } from '../support/telemetry/session-events.ts'

/** Starts the telemetry that these variables select. */
function startWith(env: Readonly<Record<string, string>> = {}): Sdk {
  const labels = { servers: ['send.example'], listeners: [], clients: [] }
  return start({ ...labels, settings: settingsOf(env), slowMs: 10_000, warn: () => {} })
}

async function targetInfo(env: Readonly<Record<string, string>> = {}): Promise<string> {
  const sdk = startWith(env)
  const [[labels] = ['']] = seriesOf(await sdk.page(), 'target_info')
  await sdk.shutdown()
  return labels
}

test('events appear on the scrape page', async () => {
  const sdk = startWith()
  oneMail({ clientName: 'other' }).tell(sdk.telemetry)
  assert.match(await sdk.page(), /smtp_proxy_transactions_total\{smtp_transaction_outcome="accepted",.*\} 1\n/)
  await sdk.shutdown()
})

test('the resource names the package, its version and this instance', async () => {
  const info = await targetInfo()
  assert.match(info, /service_name="ahasend-smtp-proxy"/)
  assert.ok(info.includes(`service_version="${packageJson.version}"`))
  assert.match(info, /service_instance_id="[0-9a-f-]{36}"/)
})

test('the resource contains no command line, path, user or host', async () => {
  assert.doesNotMatch(await targetInfo(), /process_|host_|os_/)
})

test('the environment overrides the resource', async () => {
  const info = await targetInfo({
    OTEL_SERVICE_NAME: 'mail-eu',
    OTEL_RESOURCE_ATTRIBUTES: 'service.name=other,service.instance.id=pod-1,deployment.environment.name=test',
  })
  assert.match(info, /service_name="mail-eu"/)
  assert.match(info, /service_instance_id="pod-1"/)
  assert.match(info, /deployment_environment_name="test"/)
})

test('OTEL_SDK_DISABLED: events are ignored, and the page says why it is empty', async () => {
  const sdk = startWith({ OTEL_SDK_DISABLED: 'true' })
  oneMail().tell(sdk.telemetry)
  sdk.telemetry.observeLiveBytes(() => assert.fail('the bytes were read'))
  assert.equal(await sdk.page(), '# no metrics: OTEL_SDK_DISABLED is set\n')
  await sdk.shutdown()
})

test('after shutdown there is no page, and a second shutdown does nothing', async () => {
  const sdk = startWith()
  await sdk.shutdown()
  await sdk.shutdown()
  await assert.rejects(sdk.page())
})

test('lost and delivered telemetry is on the page from the start, at 0', async () => {
  const sdk = startWith()
  const page = await sdk.page()
  const lost = seriesOf(page, 'smtp_proxy_telemetry_lost_total')
  assert.deepEqual(
    lost.map(([labels, value]) => [[...labels.matchAll(/"([^"]+)"/g)].map(([, text]) => text).join(' '), value]),
    [
      ['traces queue_full', 0],
      ['traces export_failed', 0],
      ['traces rate_limited', 0],
      ['metrics export_failed', 0],
      ['logs queue_full', 0],
      ['logs export_failed', 0],
      ['logs rate_limited', 0],
      ['logs stdout_full', 0],
    ],
  )
  assert.equal(seriesOf(page, 'smtp_proxy_telemetry_exported_total').length, 3)
  await sdk.shutdown()
})

test('losses that are counted elsewhere are on the page', async () => {
  const sdk = startWith()
  sdk.losses.count('logs', 'stdout_full')
  sdk.losses.count('logs', 'stdout_full', 4)
  assert.match(await sdk.page(), /^smtp_proxy_telemetry_lost_total\{.*"logs".*"stdout_full"\} 5$/m)
  await sdk.shutdown()
})

test('without an endpoint, spans and log lines are not exported', async () => {
  const sdk = startWith()
  assert.ok(!('traces' in sdk) && !('emit' in sdk))
  await sdk.shutdown()
})
