/** Monitoring, the probe, and the network policies that let both through. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { parse } from 'yaml'
import { generatedFiles } from '../../dashboards/generate/files.ts'
import { NAME, needsHelm, rendered, settingsOf } from '../support/charts/helm.ts'
import { EVERYTHING } from '../support/charts/matrix.ts'

const generated = generatedFiles()

describe('Monitoring', needsHelm, () => {
  test('scrapes with the job that the alerts expect, and names the pod', async () => {
    for (const kind of ['PodMonitor', 'ServiceMonitor']) {
      const { spec } = (await rendered({ monitor: { enabled: true, kind } })).one(kind)
      const [endpoint] = spec.podMetricsEndpoints ?? spec.endpoints
      assert.deepEqual(endpoint, {
        port: 'admin',
        path: '/metrics',
        interval: '15s',
        relabelings: [
          { targetLabel: 'job', replacement: 'ahasend-smtp-proxy' },
          { sourceLabels: ['__meta_kubernetes_pod_name'], targetLabel: 'instance' },
        ],
      })
    }
  })

  test('a ServiceMonitor selects only the Service of the admin server', async () => {
    const release = await rendered({ monitor: { enabled: true, kind: 'ServiceMonitor' } })
    const { matchLabels } = release.one('ServiceMonitor').spec.selector
    const selected = release.manifests
      .filter(({ kind }) => kind === 'Service')
      .filter(({ metadata }) => Object.entries(matchLabels).every(([name, value]) => metadata.labels[name] === value))
    assert.deepEqual(
      selected.map(({ metadata }) => metadata.name),
      [`${NAME}-admin`],
    )
  })

  test('the alerts are those of the rule file, unchanged', async () => {
    const { spec } = (await rendered({ prometheusRule: { enabled: true } })).one('PrometheusRule')
    assert.deepEqual(spec, parse(generated['generated/ahasend-smtp-proxy.rules.yaml'] ?? ''))
  })

  test('the dashboards are ConfigMaps that the sidecar of Grafana finds', async () => {
    const release = await rendered({ dashboards: { enabled: true } })
    const dashboards = release.manifests.filter(({ kind }) => kind === 'ConfigMap')
    assert.equal(dashboards.length, 4)
    for (const { metadata, data = {} } of dashboards) {
      assert.equal(metadata.labels.grafana_dashboard, '1')
      const [[file = '', text = ''] = []] = Object.entries(data)
      assert.equal(text, generated[`generated/${file}`])
    }
  })
})

test('the probe has a listener of its own, which the Service for apps does not have', needsHelm, async () => {
  const release = await rendered({ probe: { enabled: true, settings: { PROBE_INTERVAL: '5m' } } })
  const [container] = release.one('Deployment', `${NAME}-probe`).spec.template.spec.containers
  assert.deepEqual(settingsOf(container), {
    PROBE_INTERVAL: '5m',
    PROBE_METRICS: 'http://0.0.0.0:9465',
    PROBE_TARGET: `smtp://${NAME}-admin:2599`,
  })
  assert.equal(release.settings().PROXY_LISTEN, 'smtp://0.0.0.0:2525,smtp://0.0.0.0:2599?client=probe')
  const ports = (name: string) =>
    release.one('Service', name).spec.ports.map(({ port }: { readonly port: number }) => port)
  assert.deepEqual([ports(NAME), ports(`${NAME}-admin`)], [[2525], [9464, 2599]])
})

describe('A network policy', needsHelm, () => {
  test('admits the clients to the listeners, the monitoring to the admin server, and the probe to its listener', async () => {
    const { ingress } = (await rendered(EVERYTHING)).one('NetworkPolicy', NAME).spec
    const ports = (rule: { readonly ports?: readonly { readonly port: number }[] }) =>
      rule.ports?.map(({ port }) => port)
    assert.deepEqual(ingress.map(ports), [[2525, 4465], [9464], [2599], undefined])
    const [clients, monitoring, probe] = ingress.map(({ from }: { readonly from?: unknown }) => JSON.stringify(from))
    assert.match(clients, /"mail":"allowed"/)
    assert.match(monitoring, /"kubernetes\.io\/metadata\.name":"monitoring"/)
    const labels = (await rendered(EVERYTHING)).one('Deployment', `${NAME}-probe`).spec.selector.matchLabels
    assert.deepEqual(JSON.parse(probe), [{ podSelector: { matchLabels: labels } }])
  })

  test('applies to the pods of the proxy and to that of `helm test`, and not to the probe', async () => {
    const release = await rendered(EVERYTHING)
    const { matchLabels, matchExpressions } = release.one('NetworkPolicy', NAME).spec.podSelector
    const component = 'app.kubernetes.io/component'
    assert.deepEqual(matchExpressions, [{ key: component, operator: 'In', values: ['proxy', 'check'] }])
    const { labels: ofProxy } = release.one('Deployment', NAME).spec.template.metadata
    const { labels: ofProbe } = release.one('Deployment', `${NAME}-probe`).spec.template.metadata
    const { labels: ofCheck } = release.one('Pod', `${NAME}-check`).metadata
    assert.deepEqual([ofProxy[component], ofCheck[component], ofProbe[component]], ['proxy', 'check', 'probe'])
    for (const labels of [ofProxy, ofCheck]) assert.deepEqual({ ...labels, ...matchLabels }, labels)
  })

  test('lets the proxy reach DNS, AhaSend and the receivers of OTLP', async () => {
    const { egress } = (await rendered(EVERYTHING)).one('NetworkPolicy', NAME).spec
    assert.deepEqual(
      egress.flatMap(({ ports }: { readonly ports: readonly { readonly port: number }[] }) =>
        ports.map(({ port }) => port),
      ),
      [53, 53, 587, 2525, 4318, 443, 6514],
    )
  })

  test('without peers, admits all clients and no one to the admin server', async () => {
    const { ingress } = (await rendered({ networkPolicy: { enabled: true } })).one('NetworkPolicy').spec
    assert.deepEqual(ingress, [{ ports: [{ port: 2525, protocol: 'TCP' }] }])
  })
})
