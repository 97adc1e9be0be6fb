/** The complete stack with Grafana's image: data sources, dashboards and alerts are provisioned. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { IMAGES, imageMissing } from '../support/containers/engine.ts'
import { accepted, eventually, press, type Stack, startStack } from '../support/containers/stack.ts'

/** Skips the tests when an image is missing. */
const needs = {
  skip:
    Object.values(IMAGES)
      .map(imageMissing)
      .find((missing) => missing !== undefined) ?? false,
}

const DASHBOARDS = ['ahasend-mail-health', 'ahasend-refusals', 'ahasend-limits', 'ahasend-proxy']

describe('The complete stack', () => {
  const services = ['proxy', 'prometheus', 'alertmanager', 'tempo', 'grafana', 'rehearsal', 'traffic']
  let stack: Stack
  before(async () => {
    if (needs.skip) return
    stack = await startStack(services)
  })
  after(() => stack?.down())

  const asked = async (path: string) => {
    const response = await fetch(`http://127.0.0.1:${stack.container('grafana').getMappedPort(3000)}${path}`, {
      headers: { authorization: `Basic ${Buffer.from('admin:admin').toString('base64')}` },
    })
    return { status: response.status, body: await response.text() }
  }

  test('becomes healthy with read-only root file systems', needs, async () => {
    await stack.healthy(services)
    for (const service of services) assert.equal(stack.describe(service).HostConfig.ReadonlyRootfs, true, service)
  })

  for (const uid of ['prometheus', 'tempo'])
    test(`has a working data source ${uid}`, needs, async () => {
      const { status, body } = await asked(`/api/datasources/uid/${uid}/health`)
      assert.equal(status, 200, body)
      assert.equal((JSON.parse(body) as { status: string }).status, 'OK')
    })

  test('has a working data source alertmanager', needs, async () => {
    const { status, body } = await asked('/api/alertmanager/alertmanager/api/v2/status')
    assert.equal(status, 200, body)
  })

  for (const uid of DASHBOARDS)
    test(`has the generated dashboard ${uid}`, needs, async () => {
      const { status, body } = await asked(`/api/dashboards/uid/${uid}`)
      assert.equal(status, 200, body)
      assert.equal((JSON.parse(body) as { meta: { provisioned: boolean } }).meta.provisioned, true)
    })

  test('shows mail health as the home page', needs, async () => {
    const { body } = await asked('/api/dashboards/home')
    assert.equal((JSON.parse(body) as { dashboard: { uid: string } }).dashboard.uid, 'ahasend-mail-health')
  })

  test("shows the alerts of Prometheus among Grafana's own", needs, async () => {
    const { body } = await asked('/api/prometheus/prometheus/api/v1/rules')
    assert.match(body, /AhaSendAccountDisabled/)
  })

  test('finds a refused message in Tempo through Grafana', needs, async () => {
    await accepted(stack.container('rehearsal'), 1)
    await press(stack.container('rehearsal'), 'one-521')
    const query = new URLSearchParams({ q: '{ span.smtp.reply.cause = "account_disabled" }' })
    await eventually('Grafana finds the trace', async () => {
      const { body } = await asked(`/api/datasources/proxy/uid/tempo/api/search?${query}`)
      return ((JSON.parse(body) as { traces?: readonly unknown[] }).traces ?? []).length > 0
    })
  })
})
