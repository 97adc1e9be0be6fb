/** THE table of the chart's values. values.yaml, values.schema.json and the table in its README are generated from it. */
import { KUBERNETES_VALUES } from './kubernetes-values.ts'
import { PROBE_SETTINGS_FROM_SCHEMA, PROBE_SETTINGS_SCHEMA, SETTINGS_FROM_SCHEMA, SETTINGS_SCHEMA } from './settings.ts'
import {
  BOOLEAN,
  choice,
  OBJECT,
  OBJECTS,
  PORT_BY_LISTENER,
  TEXT,
  TEXT_BY_NAME,
  TEXTS,
  VARIABLES,
  type ValueGroup,
} from './value.ts'

const row = (path: string, byDefault: unknown, schema: ValueGroup['values'][number]['schema'], meaning: string) => ({
  path,
  default: byDefault,
  schema,
  meaning,
})

/** What the proxy does. */
const PROXY_VALUES: readonly ValueGroup[] = [
  {
    title: 'Settings of the proxy',
    values: [
      row(
        'settings',
        {},
        SETTINGS_SCHEMA,
        'Settings of the proxy by name, such as `PROXY_CLIENTS: billing=10.1.0.0/16`. docs/configuration.md explains all `PROXY_` and `OTEL_` settings. Helm refuses an unknown name. `$(NAME)` refers to a variable of `extraEnv`.',
      ),
      row(
        'settingsFrom',
        {},
        SETTINGS_FROM_SCHEMA,
        'Settings by name, from Secrets and ConfigMaps: `OTEL_EXPORTER_OTLP_HEADERS: {secretKeyRef: {name: otlp, key: headers}}`. Settings from which the chart computes ports and times must be in `settings`.',
      ),
      row(
        'extraEnv',
        [],
        VARIABLES,
        'Additional variables of the container, such as `NODE_EXTRA_CA_CERTS`. Not for settings of the proxy.',
      ),
      row('extraEnvFrom', [], OBJECTS, 'Secrets and ConfigMaps of which every key becomes a variable.'),
    ],
  },
  {
    title: 'Certificate for apps',
    values: [
      row(
        'tls.secretName',
        '',
        TEXT,
        'Secret of the type `kubernetes.io/tls`, for example from cert-manager. The proxy then offers STARTTLS, and reloads a renewed certificate without a restart.',
      ),
      row('tls.certificateKey', 'tls.crt', TEXT, 'Key in the Secret that contains the certificate and its chain.'),
      row('tls.privateKeyKey', 'tls.key', TEXT, 'Key in the Secret that contains the private key.'),
    ],
  },
  {
    title: 'Service for apps',
    values: [
      row('service.type', 'ClusterIP', choice('ClusterIP', 'NodePort', 'LoadBalancer'), 'Type of the Service.'),
      row(
        'service.ports',
        {},
        PORT_BY_LISTENER,
        'Port of the Service for the port of each listener in `PROXY_LISTEN`: `{"2525": 587}`. Without an entry, both ports are the same.',
      ),
      row(
        'service.nodePorts',
        {},
        PORT_BY_LISTENER,
        'Port of the nodes for the port of each listener. Only for `NodePort` and `LoadBalancer`.',
      ),
      row(
        'service.externalTrafficPolicy',
        '',
        choice('', 'Cluster', 'Local'),
        '`Local` keeps the addresses of clients outside the cluster. Only for `NodePort` and `LoadBalancer`.',
      ),
      row(
        'service.internalTrafficPolicy',
        '',
        choice('', 'Cluster', 'Local'),
        '`Local` sends clients in the cluster only to pods on their own node.',
      ),
      row(
        'service.trafficDistribution',
        '',
        TEXT,
        '`PreferSameZone` (Kubernetes 1.34) or `PreferClose` keeps connections in the zone.',
      ),
      row('service.clusterIP', '', TEXT, 'Fixed address of the Service in the cluster.'),
      row('service.ipFamilyPolicy', '', TEXT, '`SingleStack`, `PreferDualStack` or `RequireDualStack`.'),
      row('service.ipFamilies', [], TEXTS, '`IPv4`, `IPv6` or both.'),
      row('service.loadBalancerClass', '', TEXT, 'Implementation of the load balancer.'),
      row('service.loadBalancerSourceRanges', [], TEXTS, 'Networks that the load balancer admits.'),
      row('service.labels', {}, TEXT_BY_NAME, 'Labels of the Service.'),
      row(
        'service.annotations',
        {},
        TEXT_BY_NAME,
        'Annotations of the Service. If they enable the PROXY protocol, also set `PROXY_TRUST_PROXY_PROTOCOL`.',
      ),
      row('adminService.annotations', {}, TEXT_BY_NAME, 'Annotations of the Service of the admin server.'),
    ],
  },
]

const MONITORING_VALUES: readonly ValueGroup[] = [
  {
    title: 'Monitoring',
    values: [
      row(
        'monitor.enabled',
        false,
        BOOLEAN,
        'Lets the Prometheus operator scrape the pods, with the job name that the alerts expect.',
      ),
      row(
        'monitor.kind',
        'PodMonitor',
        choice('PodMonitor', 'ServiceMonitor'),
        '`PodMonitor` or `ServiceMonitor`. Do not add a second one: dashboards would count every message twice.',
      ),
      row('monitor.interval', '15s', TEXT, 'Time between two scrapes. Dashboards and alerts work with up to 60s.'),
      row('monitor.scrapeTimeout', '', TEXT, 'Time limit of a scrape.'),
      row(
        'monitor.labels',
        {},
        TEXT_BY_NAME,
        'Labels by which your Prometheus object selects the monitor, such as `release: kube-prometheus-stack`.',
      ),
      row('monitor.annotations', {}, TEXT_BY_NAME, 'Annotations of the monitor.'),
      row('monitor.relabelings', [], OBJECTS, "Rules for the target's labels, after those of the chart."),
      row('monitor.metricRelabelings', [], OBJECTS, 'Rules for the labels of the metrics.'),
      row('prometheusRule.enabled', false, BOOLEAN, 'Installs the alerts as a PrometheusRule.'),
      row(
        'prometheusRule.labels',
        {},
        TEXT_BY_NAME,
        'Labels by which your Prometheus object selects the PrometheusRule.',
      ),
      row('prometheusRule.annotations', {}, TEXT_BY_NAME, 'Annotations of the PrometheusRule.'),
      row(
        'prometheusRule.namespace',
        '',
        TEXT,
        'Namespace of the PrometheusRule. Default: the namespace of the release.',
      ),
      row('dashboards.enabled', false, BOOLEAN, "Installs the dashboards as ConfigMaps for Grafana's sidecar."),
      row(
        'dashboards.labels',
        { grafana_dashboard: '1' },
        TEXT_BY_NAME,
        'Labels by which the sidecar selects the ConfigMaps.',
      ),
      row('dashboards.annotations', {}, TEXT_BY_NAME, 'Annotations of the ConfigMaps, such as `grafana_folder: Mail`.'),
      row('dashboards.namespace', '', TEXT, 'Namespace of the ConfigMaps. Default: the namespace of the release.'),
    ],
  },
  {
    title: 'Probe',
    values: [
      row(
        'probe.enabled',
        false,
        BOOLEAN,
        'Runs the probe, which tests the proxy and AhaSend every minute without sending a message. See docs/probe.md.',
      ),
      row(
        'probe.settings',
        {},
        PROBE_SETTINGS_SCHEMA,
        'Settings of the probe by name, such as `PROBE_FROM`. Helm refuses an unknown name.',
      ),
      row(
        'probe.settingsFrom',
        {},
        PROBE_SETTINGS_FROM_SCHEMA,
        'Settings of the probe from Secrets and ConfigMaps, such as `PROBE_PASSWORD`.',
      ),
      row(
        'probe.resources',
        { requests: { cpu: '10m', memory: '96Mi' }, limits: { memory: '256Mi' } },
        OBJECT,
        'Resources of the container of the probe.',
      ),
      row(
        'probe.extraVolumes',
        [],
        OBJECTS,
        'Additional volumes of the pod of the probe, such as a certificate authority.',
      ),
      row('probe.extraVolumeMounts', [], OBJECTS, 'Mounts of these volumes in the container.'),
    ],
  },
]

/** All values, in the order in which people read them. */
export const VALUES: readonly ValueGroup[] = [...PROXY_VALUES, ...KUBERNETES_VALUES, ...MONITORING_VALUES]
