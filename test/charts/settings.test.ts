/** The settings in the values: how they reach the proxy, and the times that the chart computes from them. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { parseProbe } from '../../app/probe/settings.ts'
import { unknownOtelVariables } from '../../otel/settings/checks.ts'
import { parseConfig } from '../../proxy/settings/settings.ts'
import { configWarnings } from '../../proxy/settings/warnings.ts'
import { NAME, needsHelm, rendered, settingsOf } from '../support/charts/helm.ts'
import { EVERYTHING, MATRIX } from '../support/charts/matrix.ts'
import { makeAuthority } from '../support/tls/certificates.ts'

describe('The stop of a pod', needsHelm, () => {
  const times = async (settings: Record<string, string>, preStopSleepSeconds?: number) => {
    const release = await rendered({ settings, ...(preStopSleepSeconds !== undefined && { preStopSleepSeconds }) })
    return {
      sleep: release.container().lifecycle?.preStop.sleep.seconds,
      grace: release.settings().PROXY_STOP_GRACE,
      period: release.pod().terminationGracePeriodSeconds,
    }
  }

  test('is 5s of sleep, and the drain with a last scrape and the exit', async () => {
    assert.deepEqual(await times({}), { sleep: 5, grace: '60s', period: 65 })
  })

  test('follows a longer drain', async () => {
    assert.deepEqual(await times({ PROXY_DRAIN_TIMEOUT: '1h2m3s' }), { sleep: 5, grace: '3753s', period: 3758 })
  })

  test('rounds parts of a second up', async () => {
    assert.deepEqual(await times({ PROXY_DRAIN_TIMEOUT: '1500ms' }), { sleep: 5, grace: '32s', period: 37 })
  })

  test('reads zeros at the beginning of a number as the proxy does', async () => {
    assert.deepEqual(await times({ PROXY_DRAIN_TIMEOUT: '01m089s' }), { sleep: 5, grace: '179s', period: 184 })
  })

  test('is what PROXY_STOP_GRACE says, which the proxy accepts', async () => {
    assert.deepEqual(await times({ PROXY_STOP_GRACE: '35s' }), { sleep: 5, grace: '35s', period: 40 })
  })

  test('needs no sleep', async () => {
    assert.deepEqual(await times({}, 0), { sleep: undefined, grace: '60s', period: 60 })
  })
})

describe('Settings', needsHelm, () => {
  test('with zeros at the beginning of a port lead to the port where the proxy listens', async () => {
    const release = await rendered({ settings: { PROXY_LISTEN: 'smtp://0.0.0.0:02525' } })
    const ports: readonly { readonly containerPort: number }[] = release.container().ports
    assert.deepEqual(
      ports.map(({ containerPort }) => containerPort),
      [2525, 9464],
    )
  })

  const authority = makeAuthority()

  for (const [what, values] of Object.entries(MATRIX)) {
    test(`are accepted by the proxy and by the probe, with ${what}`, async () => {
      const { certPem, keyPem } = await (await authority).issue()
      const readText = (path: string) => (path === '/certificates/tls.crt' ? certPem : keyPem)
      const release = await rendered(values)
      const config = parseConfig(release.settings(), readText)
      assert.ok('config' in config, JSON.stringify(config))
      assert.deepEqual(configWarnings(config.config), [])
      assert.deepEqual(unknownOtelVariables(release.settings()), [])
      const probe = release.manifests.find(({ metadata }) => metadata.name === `${NAME}-probe`)
      if (probe?.kind !== 'Deployment') return
      const login = { PROBE_USER: 'a', PROBE_PASSWORD: 'b' }
      const parsed = parseProbe({ ...login, ...settingsOf(probe.spec.template.spec.containers[0]) }, readText)
      assert.ok('settings' in parsed, JSON.stringify(parsed))
    })
  }

  test('that are numbers, null or attributes are written as the proxy reads them', async () => {
    const settings = (await rendered(EVERYTHING)).settings()
    assert.equal(settings.PROXY_MAX_SESSIONS, '1000000')
    assert.equal(settings.PROXY_WARM_CONNECTIONS, '0')
    assert.equal(settings.OTEL_TRACES_SAMPLER_ARG, '0.25')
    assert.equal(settings.OTEL_SDK_DISABLED, 'false')
    assert.ok(!('PROXY_SLOW' in settings), 'null = unset')
    assert.match(settings.OTEL_RESOURCE_ATTRIBUTES ?? '', /,deployment\.environment\.name=production$/)
  })

  test('may refer to a variable, which comes first', async () => {
    const release = await rendered(EVERYTHING)
    const names: readonly string[] = release.container().env.map(({ name }: { readonly name: string }) => name)
    assert.ok(names.indexOf('HOST_IP') < names.indexOf('OTEL_EXPORTER_OTLP_ENDPOINT'))
    assert.ok(names.indexOf('K8S_POD_NAME') < names.indexOf('OTEL_RESOURCE_ATTRIBUTES'))
    assert.equal(new Set(names).size, names.length)
  })

  test('may come from a Secret', async () => {
    const release = await rendered(EVERYTHING)
    const env: readonly { readonly name: string }[] = release.container().env
    assert.deepEqual(
      env.find(({ name }) => name === 'OTEL_EXPORTER_OTLP_HEADERS'),
      {
        name: 'OTEL_EXPORTER_OTLP_HEADERS',
        valueFrom: { secretKeyRef: { name: 'otlp', key: 'headers' } },
      },
    )
  })

  test('are the same for the test of the release', async () => {
    const release = await rendered(EVERYTHING)
    const [check] = release.one('Pod').spec.containers
    assert.deepEqual(check.env, release.container().env)
    assert.deepEqual(check.volumeMounts, release.container().volumeMounts)
    assert.deepEqual(check.args, ['check'])
  })
})
