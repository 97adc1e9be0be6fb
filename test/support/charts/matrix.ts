/** Values with which the whole chart is checked: each line of the documentation, and everything at once. */
import type { Values } from './helm.ts'

const MONITORING = { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'monitoring' } } }

const SECRET = (name: string, key: string) => ({ secretKeyRef: { name, key } })

/** Every value differs from its default. */
export const EVERYTHING: Values = {
  replicaCount: 3,
  settings: {
    PROXY_LISTEN: 'smtp://0.0.0.0:2525?starttls=required, smtps://[::]:4465',
    PROXY_MAX_SESSIONS: 1_000_000,
    PROXY_UPSTREAM: 'smtp://send.ahasend.com:587,smtp://send-us.ahasend.com:2525',
    PROXY_DRAIN_TIMEOUT: '1m30s',
    PROXY_SLOW: null,
    PROXY_WARM_CONNECTIONS: 0,
    OTEL_SDK_DISABLED: false,
    OTEL_EXPORTER_OTLP_ENDPOINT: 'http://$(HOST_IP):4318',
    OTEL_EXPORTER_OTLP_LOGS_ENDPOINT: 'https://logs.example.com/v1/logs',
    OTEL_TRACES_SAMPLER_ARG: 0.25,
    OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=production',
  },
  settingsFrom: { OTEL_EXPORTER_OTLP_HEADERS: SECRET('otlp', 'headers') },
  extraEnv: [{ name: 'HOST_IP', valueFrom: { fieldRef: { fieldPath: 'status.hostIP' } } }],
  extraEnvFrom: [{ secretRef: { name: 'more' } }],
  tls: { secretName: 'smtp-tls' },
  service: {
    type: 'LoadBalancer',
    ports: { 2525: 587, 4465: 465 },
    nodePorts: { 2525: 30_587 },
    externalTrafficPolicy: 'Local',
    internalTrafficPolicy: 'Cluster',
    trafficDistribution: 'PreferSameZone',
    ipFamilyPolicy: 'PreferDualStack',
    ipFamilies: ['IPv4', 'IPv6'],
    loadBalancerClass: 'example.com/network',
    loadBalancerSourceRanges: ['10.0.0.0/8'],
    labels: { team: 'mail' },
    annotations: { 'example.com/proxy-protocol': 'v2' },
  },
  adminService: { annotations: { 'example.com/note': 'internal' } },
  autoscaling: {
    enabled: true,
    metrics: [
      { type: 'Pods', pods: { metric: { name: 'sessions' }, target: { type: 'AverageValue', averageValue: '500' } } },
    ],
  },
  networkPolicy: {
    enabled: true,
    clients: [{ namespaceSelector: { matchLabels: { mail: 'allowed' } } }],
    monitoring: [MONITORING],
    extraIngress: [{ from: [{ ipBlock: { cidr: '192.0.2.0/24' } }] }],
    egress: { extra: [{ ports: [{ port: 6514, protocol: 'TCP' }] }] },
  },
  image: { digest: `sha256:${'0123456789abcdef'.repeat(4)}`, pullPolicy: 'Always' },
  imagePullSecrets: [{ name: 'registry' }],
  commonLabels: { owner: 'platform' },
  commonAnnotations: { 'example.com/owner': 'platform' },
  podLabels: { tier: 'edge' },
  podAnnotations: { 'example.com/scan': 'yes' },
  deploymentAnnotations: { 'reloader.stakater.com/auto': 'true' },
  nodeSelector: { 'kubernetes.io/os': 'linux' },
  tolerations: [{ key: 'mail', operator: 'Exists', effect: 'NoSchedule' }],
  affinity: {
    nodeAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: {
        nodeSelectorTerms: [{ matchExpressions: [{ key: 'mail', operator: 'Exists' }] }],
      },
    },
  },
  topologySpreadConstraints: [{ maxSkew: 1, topologyKey: 'example.com/rack', whenUnsatisfiable: 'DoNotSchedule' }],
  priorityClassName: 'system-cluster-critical',
  dnsConfig: { options: [{ name: 'ndots', value: '2' }] },
  serviceAccount: { annotations: { 'example.com/role': 'none' } },
  extraVolumes: [{ name: 'authorities', configMap: { name: 'authorities' } }],
  extraVolumeMounts: [{ name: 'authorities', mountPath: '/authorities', readOnly: true }],
  monitor: {
    enabled: true,
    labels: { release: 'kube-prometheus-stack' },
    scrapeTimeout: '10s',
    relabelings: [{ action: 'labeldrop', regex: 'container' }],
    metricRelabelings: [{ action: 'drop', sourceLabels: ['__name__'], regex: 'nodejs_.*' }],
  },
  prometheusRule: { enabled: true, namespace: 'monitoring', labels: { release: 'kube-prometheus-stack' } },
  dashboards: { enabled: true, annotations: { grafana_folder: 'Mail' } },
  probe: {
    enabled: true,
    settings: { PROBE_FROM: 'probe@your-domain.example', PROBE_SERVER_NAME: 'smtp.your-domain.example' },
    settingsFrom: { PROBE_USER: SECRET('probe', 'user'), PROBE_PASSWORD: SECRET('probe', 'password') },
    extraVolumes: [{ name: 'authorities', configMap: { name: 'authorities' } }],
    extraVolumeMounts: [{ name: 'authorities', mountPath: '/authorities', readOnly: true }],
  },
}

/** Values by what they describe. */
export const MATRIX: Readonly<Record<string, Values>> = {
  'the defaults': {},
  everything: EVERYTHING,
  'a certificate': { tls: { secretName: 'smtp-tls' }, settings: { PROXY_LISTEN: 'smtps://0.0.0.0:4465' } },
  'a load balancer with the PROXY protocol': {
    service: { type: 'LoadBalancer', externalTrafficPolicy: 'Local', ports: { 2525: 25 } },
    settings: { PROXY_TRUST_PROXY_PROTOCOL: '10.0.0.0/8' },
  },
  'ports of the nodes': { service: { type: 'NodePort', nodePorts: { 2525: 30_025 } } },
  'one replica without a budget': { replicaCount: 1, podDisruptionBudget: { enabled: false } },
  'a budget as a share': { replicaCount: 4, podDisruptionBudget: { maxUnavailable: '25%' } },
  'automatic scaling': { autoscaling: { enabled: true, maxReplicas: 10, behavior: {} } },
  'a network policy without egress': { networkPolicy: { enabled: true, egress: { enabled: false } } },
  'a network policy and the probe, which no one scrapes': {
    networkPolicy: { enabled: true },
    probe: { enabled: true },
  },
  'a ServiceMonitor': { monitor: { enabled: true, kind: 'ServiceMonitor' } },
  'alerts and dashboards in other namespaces': {
    prometheusRule: { enabled: true, namespace: 'monitoring' },
    dashboards: { enabled: true, namespace: 'grafana', labels: { dashboards: 'yes' } },
  },
  'no sleep before the stop': { preStopSleepSeconds: 0, settings: { PROXY_DRAIN_TIMEOUT: '0s' } },
  'an existing service account': { serviceAccount: { create: false, name: 'mail' } },
  'no spread and no limits': {
    topologySpreadConstraints: [],
    resources: { limits: null },
    autoscaling: { behavior: null },
  },
}
