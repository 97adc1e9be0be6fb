/** What the values of the chart do. */
import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import { parseConfig } from '../../proxy/settings/settings.ts'
import { needsHelm, type Release, rendered, settingsOf } from '../support/charts/helm.ts'
import { EVERYTHING } from '../support/charts/matrix.ts'

const NAME = 'mail-ahasend-smtp-proxy'

describe('Without values', needsHelm, () => {
  let release: Release
  before(async () => {
    release = await rendered()
  })

  test('there are the proxy, its Services, its budget, its account, and the test', () => {
    assert.deepEqual(release.names(), [
      `Deployment ${NAME}`,
      `Pod ${NAME}-check`,
      `PodDisruptionBudget ${NAME}`,
      `Service ${NAME}`,
      `Service ${NAME}-admin`,
      `ServiceAccount ${NAME}`,
    ])
  })

  test('two pods run on different nodes and in different zones, if possible', () => {
    assert.equal(release.one('Deployment').spec.replicas, 2)
    const constraints = release.pod().topologySpreadConstraints
    assert.deepEqual(
      constraints.map(({ topologyKey, whenUnsatisfiable }: Record<string, string>) => [topologyKey, whenUnsatisfiable]),
      [
        ['kubernetes.io/hostname', 'ScheduleAnyway'],
        ['topology.kubernetes.io/zone', 'ScheduleAnyway'],
      ],
    )
    const { matchLabels } = release.one('Deployment').spec.selector
    for (const { labelSelector } of constraints) assert.deepEqual(labelSelector.matchLabels, matchLabels)
  })

  test('a rollout starts a new pod before an old one drains', () => {
    assert.deepEqual(release.one('Deployment').spec.strategy.rollingUpdate, { maxUnavailable: 0, maxSurge: 1 })
  })

  test('the pod has no privileges, no token, and no variables of Services', () => {
    const { securityContext, automountServiceAccountToken, enableServiceLinks } = release.pod()
    const { runAsNonRoot, runAsUser, seccompProfile } = securityContext
    assert.deepEqual(
      { runAsNonRoot, runAsUser, seccompProfile, automountServiceAccountToken, enableServiceLinks },
      {
        runAsNonRoot: true,
        runAsUser: 1000,
        seccompProfile: { type: 'RuntimeDefault' },
        automountServiceAccountToken: false,
        enableServiceLinks: false,
      },
    )
    assert.deepEqual(release.container().securityContext, {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    })
    assert.equal(release.one('ServiceAccount').automountServiceAccountToken, false)
  })

  test('health is checked at the paths that do not depend on AhaSend', () => {
    const { startupProbe, livenessProbe, readinessProbe } = release.container()
    assert.deepEqual(
      [startupProbe, livenessProbe, readinessProbe].map(({ httpGet }) => httpGet),
      ['/livez', '/livez', '/readyz'].map((path) => ({ path, port: 'admin' })),
    )
  })

  test('the Services lead to the ports of the container', () => {
    const ports: readonly { name: string; containerPort: number }[] = release.container().ports
    assert.deepEqual(
      ports.map(({ name, containerPort }) => [name, containerPort]),
      [
        ['smtp-2525', 2525],
        ['admin', 9464],
      ],
    )
    assert.equal(release.one('Service', NAME).spec.ports[0].targetPort, 'smtp-2525')
    assert.equal(release.one('Service', `${NAME}-admin`).spec.ports[0].targetPort, 'admin')
    assert.equal(release.one('Service', `${NAME}-admin`).spec.type, 'ClusterIP')
  })

  test('every Service, and the budget, selects the pods of the proxy and no others', () => {
    const { labels } = release.one('Deployment').spec.template.metadata
    const check = release.one('Pod').metadata.labels
    const selectors = [
      release.one('Service', NAME).spec.selector,
      release.one('Service', `${NAME}-admin`).spec.selector,
      release.one('PodDisruptionBudget').spec.selector.matchLabels,
      release.one('Deployment').spec.selector.matchLabels,
    ]
    for (const selector of selectors) {
      const selects = (pod: Readonly<Record<string, string>>) =>
        Object.entries(selector).every(([name, value]) => pod[name] === value)
      assert.ok(selects(labels))
      assert.ok(!selects(check))
    }
  })

  test('telemetry names the pod', () => {
    const attributes = release.settings().OTEL_RESOURCE_ATTRIBUTES
    assert.match(attributes ?? '', /^service\.instance\.id=\$\(K8S_POD_NAME\),k8s\.namespace\.name=/)
  })
})

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

  test('is what PROXY_STOP_GRACE says, which the proxy accepts', async () => {
    assert.deepEqual(await times({ PROXY_STOP_GRACE: '35s' }), { sleep: 5, grace: '35s', period: 40 })
  })

  test('needs no sleep', async () => {
    assert.deepEqual(await times({}, 0), { sleep: undefined, grace: '60s', period: 60 })
  })
})

describe('Settings', needsHelm, () => {
  test('reach the proxy as it reads them', async () => {
    const release = await rendered(EVERYTHING)
    const settings = release.settings()
    assert.equal(settings.PROXY_MAX_SESSIONS, '1000000')
    assert.equal(settings.OTEL_TRACES_SAMPLER_ARG, '0.25')
    assert.ok(!('PROXY_SLOW' in settings), 'null = unset')
    assert.match(settings.OTEL_RESOURCE_ATTRIBUTES ?? '', /,deployment\.environment\.name=production$/)
    const { PROXY_TLS_CERT_FILE, PROXY_TLS_KEY_FILE, PROXY_LISTEN, ...others } = settings
    assert.deepEqual([PROXY_TLS_CERT_FILE, PROXY_TLS_KEY_FILE], ['/certificates/tls.crt', '/certificates/tls.key'])
    const parsed = parseConfig({
      ...others,
      PROXY_LISTEN: PROXY_LISTEN?.replace(/\?starttls=required|smtps(?=:)/g, (found) =>
        found === 'smtps' ? 'smtp' : '',
      ),
    })
    assert.ok('config' in parsed, JSON.stringify(parsed))
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

test(
  'a certificate is mounted as a directory, so that Kubernetes renews it, and only the proxy can read it',
  needsHelm,
  async () => {
    const release = await rendered({ tls: { secretName: 'smtp-tls' } })
    const [mount] = release.container().volumeMounts
    const [volume] = release.pod().volumes
    assert.deepEqual(mount, { name: 'certificates', mountPath: '/certificates', readOnly: true })
    assert.equal(volume.secret.secretName, 'smtp-tls')
    assert.equal(volume.secret.defaultMode, 0o440)
    assert.equal(release.pod().securityContext.fsGroup, release.pod().securityContext.runAsGroup)
  },
)

test('each listener is a port of the Service, with the number that apps expect', needsHelm, async () => {
  const release = await rendered(EVERYTHING)
  const ports = release.one('Service', NAME).spec.ports
  assert.deepEqual(ports, [
    { name: 'smtp-2525', port: 587, targetPort: 'smtp-2525', protocol: 'TCP', appProtocol: 'tcp', nodePort: 30_587 },
    { name: 'smtps-4465', port: 465, targetPort: 'smtps-4465', protocol: 'TCP', appProtocol: 'tcp' },
  ])
})

test('with automatic scaling, the Deployment does not set the number of replicas', needsHelm, async () => {
  const release = await rendered({ autoscaling: { enabled: true } })
  assert.ok(!('replicas' in release.one('Deployment').spec))
  const { scaleTargetRef, minReplicas, maxReplicas } = release.one('HorizontalPodAutoscaler').spec
  assert.deepEqual([scaleTargetRef.name, minReplicas, maxReplicas], [NAME, 2, 6])
})

test('a digest replaces the tag; without both, the tag is the version of the chart', needsHelm, async () => {
  const image = async (values: Record<string, string>) => (await rendered({ image: values })).container().image
  const digest = `sha256:${'a'.repeat(64)}`
  assert.equal(await image({ repository: 'mirror.example/proxy', tag: '9', digest }), `mirror.example/proxy@${digest}`)
  assert.equal(await image({ tag: '9' }), 'ghcr.io/ahasend/ahasend-smtp-proxy:9')
  const { labels } = (await rendered()).one('Deployment').metadata
  assert.equal(await image({}), `ghcr.io/ahasend/ahasend-smtp-proxy:${labels['app.kubernetes.io/version']}`)
})

describe('A network policy', needsHelm, () => {
  test('admits the clients to the listeners, the monitoring to the admin server, and the probe to its listener', async () => {
    const { ingress } = (await rendered(EVERYTHING)).one('NetworkPolicy', NAME).spec
    const ports = (rule: { readonly ports?: readonly { readonly port: number }[] }) =>
      rule.ports?.map(({ port }) => port)
    assert.deepEqual(ingress.map(ports), [[2525, 4465], [9464], [2599], undefined])
    assert.ok(ingress.every(({ from }: { readonly from?: unknown }) => from !== undefined))
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

  test('the dashboards are ConfigMaps that the sidecar of Grafana finds', async () => {
    const release = await rendered({ dashboards: { enabled: true } })
    const dashboards = release.manifests.filter(({ kind }) => kind === 'ConfigMap')
    assert.equal(dashboards.length, 4)
    for (const { metadata, data = {} } of dashboards) {
      assert.equal(metadata.labels.grafana_dashboard, '1')
      const [[file = '', text = ''] = []] = Object.entries(data)
      assert.equal(`${(JSON.parse(text) as { readonly uid: string }).uid}.json`, file)
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

test('labels and annotations of the values reach the objects, and cannot break the selectors', needsHelm, async () => {
  const release = await rendered({
    ...EVERYTHING,
    commonLabels: { owner: 'platform', 'app.kubernetes.io/name': 'other' },
  })
  for (const { kind, metadata } of release.manifests) {
    assert.equal(metadata.labels.owner, 'platform', kind)
    assert.equal(metadata.labels['app.kubernetes.io/name'], 'ahasend-smtp-proxy', kind)
    assert.equal(metadata.annotations?.['example.com/owner'], 'platform', kind)
  }
})

test('long names stay within the limits of Kubernetes', needsHelm, async () => {
  const release = await rendered({ ...EVERYTHING, fullnameOverride: 'm'.repeat(63) })
  for (const { metadata } of release.manifests) assert.ok(metadata.name.length <= 63, metadata.name)
})
