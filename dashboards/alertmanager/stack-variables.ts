/**
 * The variables that compose.yaml itself reads, for .env.example and for reports of misspelled names. A test compares them
 * with compose.yaml.
 */
import packageJson from '../../package.json' with { type: 'json' }
import type { Section } from '../../settings/documentation.ts'

/** Their groups, in the order in which people read them. */
export const STACK_SECTIONS: readonly Section[] = [
  {
    title: 'The settings file',
    about: 'For a settings file with another name than `.env`.',
    rows: [
      {
        variable: 'SETTINGS_FILE',
        default: '.env',
        meaning:
          '`proxy-names`, `probe-names` and `alertmanager-config` check this file for misspelled names. Compose does not pass ' +
          'the name of the file to them: if the file is not `.env` in the directory of compose.yaml, set its ' +
          'path here, relative to compose.yaml.',
      },
    ],
  },
  {
    title: 'Published ports',
    about: 'The addresses at which this machine, and the links in notifications, reach the containers.',
    rows: [
      {
        variable: 'SMTP_PUBLISH',
        default: '127.0.0.1:2525',
        meaning:
          'The address and port on this machine where apps outside this Compose project reach the proxy. In ' +
          'the container, the port is always 2525. Apps in the same project need no published port: they ' +
          'connect to `proxy:2525`. Before you publish beyond 127.0.0.1, see `PROXY_ALLOW` and ' +
          '`PROXY_TLS_CERT_FILE`.',
      },
      {
        variable: 'ADMIN_PUBLISH',
        default: '127.0.0.1:9464',
        meaning:
          'The address and port on this machine where the status page and `/metrics` are published. They have no login: ' +
          'do not publish them beyond a private network.',
      },
      {
        variable: 'GRAFANA_PUBLISH',
        default: '127.0.0.1:3000',
        meaning: 'The address and port on this machine where Grafana is published.',
      },
      {
        variable: 'GRAFANA_URL',
        default: 'http://localhost:3000',
        meaning: 'The URL at which users open Grafana. Links in alerts begin with this URL.',
      },
      {
        variable: 'PROMETHEUS_URL',
        default: '',
        meaning:
          'The URL of Prometheus that people open, if you publish it. The `generatorURL` in webhook notifications begins ' +
          'with it. If unset, it contains the host name of the container, which no browser can open. A reverse proxy must ' +
          'remove the path of this URL.',
      },
      {
        variable: 'ALERTMANAGER_URL',
        default: '',
        meaning:
          'The URL of Alertmanager that people open, if you publish it: the `externalURL` in webhook notifications. If ' +
          'unset, it is as for `PROMETHEUS_URL`.',
      },
    ],
  },
  {
    title: 'Replicas behind HAProxy',
    about: 'For the profile `ha` ([Several proxies](scaling.md)).',
    rows: [
      { variable: 'REPLICAS', default: '2', meaning: 'The number of proxies behind HAProxy: at most 12.' },
      {
        variable: 'HAPROXY_PUBLISH',
        default: '127.0.0.1:2527',
        meaning: 'The address and port on this machine where apps outside this Compose project reach HAProxy.',
      },
      {
        variable: 'HAPROXY_SUBNET',
        default: '10.215.87.0/28',
        meaning:
          'The network of HAProxy and the replicas. The replicas trust the client addresses that come from there. ' +
          'Choose another one if this machine already uses it.',
      },
    ],
  },
  {
    title: 'Grafana',
    about: "Grafana's administrator and plugins.",
    rows: [
      { variable: 'GRAFANA_ADMIN_USER', default: 'admin', meaning: 'User name of the Grafana administrator.' },
      {
        variable: 'GRAFANA_ADMIN_PASSWORD',
        default: 'admin',
        meaning: 'Password of the Grafana administrator. Grafana reads it only at its first start.',
      },
      {
        variable: 'GRAFANA_DISABLED_PLUGINS',
        default:
          'elasticsearch,grafana-postgresql-datasource,grafana-pyroscope-datasource,influxdb,jaeger,loki,mssql,mysql,' +
          'opentsdb,stackdriver,zipkin',
        meaning:
          'Data source plugins that Grafana does not start. Remove from this list the plugins that your own ' +
          'dashboards need.',
      },
    ],
  },
  {
    title: 'Retention, memory and CPU limits',
    about: 'How much each container stores and uses.',
    rows: [
      {
        variable: 'PROMETHEUS_RETENTION',
        default: '40d',
        meaning: 'How long Prometheus keeps metrics. The error budget needs 30 days.',
      },
      {
        variable: 'PROMETHEUS_RETENTION_SIZE',
        default: '5GB',
        meaning: 'Maximum disk space for metrics. Beyond it, Prometheus deletes the oldest metrics.',
      },
      { variable: 'TEMPO_RETENTION', default: '336h', meaning: 'How long Tempo keeps traces.' },
      {
        variable: 'PROXY_MEMORY',
        default: '1536m',
        meaning:
          'Memory limit of the proxy: about 100 KB per session, more if apps use TLS. The default is enough ' +
          'for `PROXY_MAX_SESSIONS`.',
      },
      { variable: 'PROXY_CPUS', default: '0', meaning: 'CPU limit of the proxy. 0 = all CPUs.' },
      { variable: 'PROMETHEUS_MEMORY', default: '1g', meaning: 'Memory limit of Prometheus.' },
      { variable: 'ALERTMANAGER_MEMORY', default: '256m', meaning: 'Memory limit of Alertmanager.' },
      { variable: 'TEMPO_MEMORY', default: '1g', meaning: 'Memory limit of Tempo.' },
      { variable: 'GRAFANA_MEMORY', default: '1g', meaning: 'Memory limit of Grafana.' },
      { variable: 'HAPROXY_MEMORY', default: '512m', meaning: 'Memory limit of HAProxy.' },
      {
        variable: 'LOG_DRIVER',
        default: 'local',
        meaning: "Docker's logging driver for all containers. `local` keeps at most 100 MB per container.",
      },
    ],
  },
  {
    title: 'Images',
    about: 'The container images that Compose runs. With compose.build.yaml, it builds its own.',
    rows: [
      {
        variable: 'PROXY_IMAGE',
        default: `ghcr.io/ahasend/ahasend-smtp-proxy:${packageJson.version}`,
        meaning:
          'Image of the proxy. With compose.build.yaml, the name of the image that Compose builds, by default ' +
          '`ahasend-smtp-proxy`.',
      },
      { variable: 'NODE_IMAGE', default: 'node:24-bookworm-slim', meaning: 'Image that the images are built from.' },
      { variable: 'PROMETHEUS_IMAGE', default: 'prom/prometheus:v3.5.3', meaning: 'Image of Prometheus.' },
      { variable: 'ALERTMANAGER_IMAGE', default: 'prom/alertmanager:v0.33.1', meaning: 'Image of Alertmanager.' },
      { variable: 'TEMPO_IMAGE', default: 'grafana/tempo:3.0.3', meaning: 'Image of Tempo.' },
      { variable: 'GRAFANA_IMAGE', default: 'grafana/grafana:13.2.3', meaning: 'Image of Grafana.' },
      {
        variable: 'HAPROXY_IMAGE',
        default: 'haproxy:3.2.26-alpine',
        meaning: 'Image of HAProxy, for the profile `ha`.',
      },
      {
        variable: 'REHEARSAL_IMAGE',
        default: `ghcr.io/ahasend/ahasend-smtp-proxy-rehearsal:${packageJson.version}`,
        meaning:
          'Image of the simulated AhaSend of the rehearsal. With compose.build.yaml, the name of the image that Compose ' +
          'builds, by default `ahasend-smtp-proxy-rehearsal`.',
      },
      {
        variable: 'REVISION',
        default: 'unknown',
        meaning: 'A label of the images that Compose builds: `REVISION=$(git rev-parse HEAD)`.',
      },
    ],
  },
  {
    title: 'Certificates of the proxy',
    about: 'The directory from which the proxy reads its certificate.',
    rows: [
      {
        variable: 'CERTIFICATES',
        default: 'certificates',
        meaning:
          'A directory of certificates, mounted in the proxy as /certificates: ' +
          '`PROXY_TLS_CERT_FILE=/certificates/smtp.pem`. User 1000 must be able to read the key. The files must not be ' +
          "symbolic links to files outside this directory, such as those in certbot's live/.",
      },
    ],
  },
]

const NAMES = STACK_SECTIONS.flatMap(({ rows }) => rows).map(({ variable }) => variable)

/** All names except PROXY_*, which the proxy knows. Only rehearsal.env sets the last one. */
export const STACK_VARIABLES: readonly string[] = [
  ...NAMES.filter((name) => !name.startsWith('PROXY_')),
  'REHEARSAL_PUBLISH',
]
