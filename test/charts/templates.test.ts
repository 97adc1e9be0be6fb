/** The pods, the Services and the other objects of the chart, without values and with some. */
import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import { parseAllDocuments } from 'yaml'
import {
  CHART,
  helm,
  type Manifest,
  NAME,
  needsHelm,
  type Release,
  rendered,
  type Values,
} from '../support/charts/helm.ts'
import { EVERYTHING } from '../support/charts/matrix.ts'

describe('The release', needsHelm, () => {
  test('may have a name and a namespace that YAML would read as numbers', async () => {
    const { stdout } = await helm(['template', '0123', CHART, '--namespace', '456'], EVERYTHING)
    const manifests = parseAllDocuments(stdout).flatMap((document) => (document.toJS() as Manifest | null) ?? [])
    assert.ok(manifests.length > 10)
    for (const { kind, metadata, spec } of manifests) {
      assert.equal(metadata.labels['app.kubernetes.io/instance'], '0123', kind)
      for (const value of [metadata.name, metadata.namespace]) assert.equal(typeof value, 'string', kind)
      const { matchLabels } = spec?.selector ?? spec?.podSelector ?? {}
      if (matchLabels !== undefined) assert.equal(matchLabels['app.kubernetes.io/instance'], '0123', kind)
    }
  })
})

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

describe('The notes of an installation', needsHelm, () => {
  const notes = async (values: Values) => {
    const { code, stdout, stderr } = await helm(['install', 'mail', CHART, '--dry-run=client', '-n', 'apps'], values)
    assert.equal(code, 0, stderr)
    return stdout.slice(stdout.indexOf('NOTES:'))
  }

  test('name the host and the port for apps, the test, and what is not switched on', async () => {
    const text = await notes({})
    assert.match(
      text,
      /SMTP host {3}mail-ahasend-smtp-proxy\.apps\n {5}SMTP port {3}2525 {10}TLS {3}off: no certificate/,
    )
    assert.match(text, /helm test mail --namespace apps --logs/)
    assert.match(text, /monitor\.enabled=true,prometheusRule\.enabled=true,dashboards\.enabled=true/)
    assert.doesNotMatch(text, /WARNING/)
  })

  test('name the ports of the Service and their kind of TLS, and no more', async () => {
    const text = await notes(EVERYTHING)
    assert.match(
      text,
      /SMTP port {3}587 {10}TLS {3}STARTTLS, required\n {5}SMTP port {3}465 {10}TLS {3}from the first byte/,
    )
    assert.doesNotMatch(text, /monitor\.enabled=true/)
  })

  test('warn about a single replica', async () => {
    assert.match(await notes({ replicaCount: 1 }), /WARNING: there is only one replica/)
  })
})
