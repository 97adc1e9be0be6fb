import assert from 'node:assert/strict'
import { afterEach, test } from 'node:test'
import { start } from '../otel/sdk.ts'
import packageJson from '../package.json' with { type: 'json' }
import { seriesOf } from './support/scrape.ts'
import { oneMail } from './support/session-events.ts'

const options = { servers: ['send.example'], clients: [] }

afterEach(() => {
  for (const name of Object.keys(process.env)) if (name.startsWith('OTEL_')) delete process.env[name]
})

async function targetInfo(): Promise<string> {
  const sdk = start(options)
  const [[labels] = ['']] = seriesOf(await sdk.page(), 'target_info')
  await sdk.shutdown()
  return labels
}

test('events become a page', async () => {
  const sdk = start(options)
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

test('the resource tells no command line, path, user or host', async () => {
  assert.doesNotMatch(await targetInfo(), /process_|host_|os_/)
})

test('the environment has the last word on the resource', async () => {
  process.env.OTEL_SERVICE_NAME = 'mail-eu'
  process.env.OTEL_RESOURCE_ATTRIBUTES = 'service.name=other,service.instance.id=pod-1,deployment.environment.name=test'
  const info = await targetInfo()
  assert.match(info, /service_name="mail-eu"/)
  assert.match(info, /service_instance_id="pod-1"/)
  assert.match(info, /deployment_environment_name="test"/)
})

test('OTEL_SDK_DISABLED: events go nowhere, and the page says why', async () => {
  process.env.OTEL_SDK_DISABLED = 'true'
  const sdk = start(options)
  oneMail().tell(sdk.telemetry)
  sdk.telemetry.observeLiveBytes(() => assert.fail('asked for bytes'))
  assert.equal(await sdk.page(), '# no metrics: OTEL_SDK_DISABLED is set\n')
  await sdk.shutdown()
})

test('after the shutdown there is no page, and a second shutdown is no mistake', async () => {
  const sdk = start(options)
  await sdk.shutdown()
  await sdk.shutdown()
  await assert.rejects(sdk.page())
})
