/** Grafana's own image, and with it the whole stack: data sources, dashboards and alerts are there without a click. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { IMAGES, imageMissing } from '../support/containers/engine.ts'
import { accepted, eventually, press, type Stack, startStack } from '../support/containers/stack.ts'

/** Without an image each test is skipped by its name. */
const needs = {
  skip:
    Object.values(IMAGES)
      .map(imageMissing)
      .find((missing) => missing !== undefined) ?? false,
}

const DASHBOARDS = ['ahasend-mail-health', 'ahasend-refusals', 'ahasend-limits', 'ahasend-proxy']

describe('the whole stack', () => {
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

  test('becomes healthy on root file systems that cannot be written', needs, async () => {
    await stack.healthy(services)
    for (const service of services) assert.equal(stack.describe(service).HostConfig.ReadonlyRootfs, true, service)
  })

  for (const uid of ['prometheus', 'tempo'])
    test(`the data source ${uid} answers Grafana`, needs, async () => {
      const { status, body } = await asked(`/api/datasources/uid/${uid}/health`)
      assert.equal(status, 200, body)
      assert.equal((JSON.parse(body) as { status: string }).status, 'OK')
    })

  test('the data source alertmanager answers Grafana', needs, async () => {
    const { status, body } = await asked('/api/alertmanager/alertmanager/api/v2/status')
    assert.equal(status, 200, body)
  })

  for (const uid of DASHBOARDS)
    test(`the dashboard ${uid} is there, as it was generated`, needs, async () => {
      const { status, body } = await asked(`/api/dashboards/uid/${uid}`)
      assert.equal(status, 200, body)
      assert.equal((JSON.parse(body) as { meta: { provisioned: boolean } }).meta.provisioned, true)
    })

  test('the first page is mail health', needs, async () => {
    const { body } = await asked('/api/dashboards/home')
    assert.equal((JSON.parse(body) as { dashboard: { uid: string } }).dashboard.uid, 'ahasend-mail-health')
  })

  test("shows the alerts of Prometheus among Grafana's own", needs, async () => {
    const { body } = await asked('/api/prometheus/prometheus/api/v1/rules')
    assert.match(body, /AhaSendAccountDisabled/)
  })

  test('finds a refused mail in Tempo through Grafana', needs, async () => {
    await accepted(stack.container('rehearsal'), 1)
    await press(stack.container('rehearsal'), 'one-521')
    const query = new URLSearchParams({ q: '{ span.smtp.reply.cause = "account_disabled" }' })
    await eventually('it is found', async () => {
      const { body } = await asked(`/api/datasources/proxy/uid/tempo/api/search?${query}`)
      return ((JSON.parse(body) as { traces?: readonly unknown[] }).traces ?? []).length > 0
    })
  })
})
