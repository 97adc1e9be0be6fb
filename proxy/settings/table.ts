/** THE table of settings. The parser, `--help`, docs/configuration.md and the start log line are generated from it. */
import { availableParallelism } from 'node:os'
import type { Group, Grouped } from '../../settings/documentation.ts'
import { duration, durationText } from '../../settings/durations.ts'
import { certificateFile, keyFile } from '../../settings/pem.ts'
import { choice, integer, integerOrAuto, optional } from '../../settings/readers.ts'
import type { Setting } from '../../settings/table.ts'
import { CIPHER_POLICIES } from '../net/cipher-suites.ts'
import { LOCAL_NETWORKS } from '../net/networks.ts'
import { admin, authority, listeners, upstreams } from './addresses.ts'
import type { Config } from './config.ts'
import { clients, networks } from './networks.ts'

/** The purposes of the settings, in the order in which people read them. */
export const GROUPS = {
  apps: { title: 'Where apps connect', about: 'The addresses and ports of the proxy.' },
  ahasend: { title: 'AhaSend', about: 'The servers that the proxy relays mail to.' },
  tls: {
    title: 'TLS for apps',
    about: 'Without a certificate, apps send their passwords and their mail to the proxy unencrypted.',
  },
  clients: { title: 'Who may connect', about: 'The networks whose clients the proxy serves, and the names of apps.' },
  limits: { title: 'Limits and timeouts', about: 'How many sessions the proxy serves, and how long it waits.' },
  performance: { title: 'Performance', about: 'Most installations need neither of these settings.' },
  admin: { title: 'Admin server', about: 'The HTTP server for metrics, health checks and the status page.' },
  recording: {
    title: 'What telemetry records',
    about: 'Which addresses and which messages traces and log lines contain.',
  },
  log: { title: 'Log', about: 'The JSON lines that the proxy writes to standard output.' },
} as const satisfies Readonly<Record<string, Group>>

export const SETTINGS = {
  listeners: {
    variable: 'PROXY_LISTEN',
    group: 'apps',
    default: 'smtp://127.0.0.1:2525',
    inImage: 'smtp://0.0.0.0:2525',
    meaning:
      'Addresses to listen on, comma-separated. `smtp://host:port` begins in plain text and offers STARTTLS if ' +
      'a certificate is set. With `?starttls=required`, the listener answers 530 to mail commands before TLS. ' +
      '`smtps://host:port` uses TLS from the first byte. With `?client=NAME`, every client on the listener has this ' +
      'name in the label `smtp.client.name`, whatever `PROXY_CLIENTS` says; append a second parameter with `&`. Write ' +
      'IPv6 addresses in brackets. Port 0 selects a free port; the log shows it at start.',
    read: listeners,
    effective: (config) => config.listeners.map(({ url }) => url).join(','),
  },
  upstreams: {
    variable: 'PROXY_UPSTREAM',
    group: 'ahasend',
    default: 'smtp://send.ahasend.com:587',
    meaning:
      'Servers that the proxy relays mail to (upstreams), comma-separated, in order of preference. The proxy ' +
      'tries the next upstream only if the previous one cannot be reached or greets with 421. AhaSend in the ' +
      'US is `smtp://send-us.ahasend.com:587`; the proxy never uses a region that is not listed. The proxy ' +
      'always uses TLS and verifies the certificate. It accepts `?tls=off` only for localhost, loopback and ' +
      'private addresses.',
    read: upstreams,
    effective: (config) => config.upstreams.map(upstreamUrl).join(','),
  },
  upstreamCaFile: {
    variable: 'PROXY_UPSTREAM_CA_FILE',
    group: 'ahasend',
    default: '',
    meaning:
      "PEM file of certificate authorities to trust for the upstream, in addition to Node's. Verification cannot be " +
      'turned off.',
    read: optional(certificateFile),
    effective: (config) => config.upstreamCaFile,
  },
  certFile: {
    variable: 'PROXY_TLS_CERT_FILE',
    group: 'tls',
    default: '',
    meaning:
      "PEM file of the listeners' certificate, followed by its chain. The proxy reloads it when the file changes.",
    read: optional(certificateFile),
    effective: (config) => config.tls?.certFile,
  },
  keyFile: {
    variable: 'PROXY_TLS_KEY_FILE',
    group: 'tls',
    default: '',
    meaning:
      'PEM file of the unencrypted private key for `PROXY_TLS_CERT_FILE`. The proxy reloads it when the file ' +
      'changes.',
    read: optional(keyFile),
    effective: (config) => config.tls?.keyFile,
  },
  ciphers: {
    variable: 'PROXY_TLS_CIPHERS',
    group: 'tls',
    default: 'intermediate',
    meaning:
      'Cipher suites for client connections. `intermediate`: forward secrecy and authenticated encryption only. ' +
      '`old`: also AES-CBC and RSA key exchange, for TLS libraries from before 2014. Both require TLS 1.2 or newer.',
    read: choice(...CIPHER_POLICIES),
    effective: (config) => config.tls?.ciphers,
  },
  allow: {
    variable: 'PROXY_ALLOW',
    group: 'clients',
    default: LOCAL_NETWORKS,
    meaning:
      'Networks whose clients may connect: comma-separated CIDRs or addresses. All other clients are refused with ' +
      '`421 4.7.0` and counted. The default is loopback and the private networks. To allow every client, set ' +
      '`0.0.0.0/0,::/0`.',
    read: networks,
    effective: (config) => String(config.allow),
  },
  clients: {
    variable: 'PROXY_CLIENTS',
    group: 'clients',
    default: '',
    meaning:
      'Names for client networks, for the label `smtp.client.name`: `billing=10.1.0.0/16,web=10.2.3.4`. A name may ' +
      'have several networks. The first match counts; a client without a match is named `other`. At most 100 names, ' +
      'with those of listeners (`?client=NAME`).',
    read: clients,
    effective: (config) => config.clients.map(clientText).join(',') || undefined,
  },
  trustProxyProtocol: {
    variable: 'PROXY_TRUST_PROXY_PROTOCOL',
    group: 'clients',
    default: '',
    meaning:
      'Networks of load balancers, comma-separated. Every connection from them must begin with a PROXY protocol ' +
      'header (version 1 or 2), and the proxy trusts the client address in it.',
    read: networks,
    effective: (config) => String(config.trustProxyProtocol) || undefined,
  },
  maxSessions: {
    variable: 'PROXY_MAX_SESSIONS',
    group: 'limits',
    default: '10000',
    meaning:
      'Maximum number of concurrent sessions. Further clients get `421 4.3.2` instead of a greeting. The ' +
      'default is lower if the file descriptor limit allows fewer sessions.',
    read: integer(1, 1_000_000),
    effective: (config) => config.maxSessions,
  },
  maxSessionsPerClient: {
    variable: 'PROXY_MAX_SESSIONS_PER_CLIENT',
    group: 'limits',
    default: '0',
    meaning: 'Maximum number of concurrent sessions per client address, or per /64 network for IPv6. 0 = no limit.',
    read: integer(0, 1_000_000),
    effective: (config) => config.maxSessionsPerClient,
  },
  dialTimeoutMs: {
    variable: 'PROXY_DIAL_TIMEOUT',
    group: 'limits',
    default: '10s',
    meaning:
      'Time limit for reaching an upstream: name resolution, connection, greeting and TLS together. At most 25s.',
    read: duration('100ms', '25s', 'Choose 25s or less: apps stop waiting for a greeting, nodemailer after 30s.'),
    effective: (config) => durationText(config.dialTimeoutMs),
  },
  idleTimeoutMs: {
    variable: 'PROXY_IDLE_TIMEOUT',
    group: 'limits',
    default: '5m',
    meaning:
      'The proxy ends a session in which no data moved in either direction for this time. The default is ' +
      "longer than AhaSend's 60s, so that apps see AhaSend's own 421.",
    read: duration('1s', '24h'),
    effective: (config) => durationText(config.idleTimeoutMs),
  },
  drainTimeoutMs: {
    variable: 'PROXY_DRAIN_TIMEOUT',
    group: 'limits',
    default: '30s',
    meaning:
      'How long in-flight messages may take to finish after SIGTERM or SIGINT. Meanwhile, the proxy accepts no new ' +
      'sessions and answers 421 between messages. A second signal stops the proxy immediately, but the same signal ' +
      'repeated within 2s is ignored. `PROXY_STOP_GRACE` must be longer.',
    read: duration('0s', '1h'),
    effective: (config) => durationText(config.drainTimeoutMs),
  },
  stopGraceMs: {
    variable: 'PROXY_STOP_GRACE',
    group: 'limits',
    default: '60s',
    meaning:
      'How long the supervisor waits between SIGTERM and SIGKILL. Set it at least 5s above ' +
      '`PROXY_DRAIN_TIMEOUT`. compose.yaml uses it as `stop_grace_period`; elsewhere, set the stop timeout of your ' +
      'supervisor to the same value. If a drain cuts messages, the proxy uses the rest of this time to wait for a ' +
      'last scrape of `/metrics`.',
    read: duration('0s', '2h'),
    effective: (config) => durationText(config.stopGraceMs),
  },
  warmConnections: {
    variable: 'PROXY_WARM_CONNECTIONS',
    group: 'performance',
    default: '8',
    meaning:
      'Maximum number of preconnected upstream connections, over all event loops. The actual number follows the recent rate ' +
      'of new sessions. For three minutes after a session, each event loop keeps at least one, and renews it every 30s: at ' +
      'most 120 unused connections to AhaSend per hour and event loop while sessions are rare. 0 = off.',
    read: integer(0, 256),
    effective: (config) => config.warmConnections,
  },
  workers: {
    variable: 'PROXY_WORKERS',
    group: 'performance',
    default: '1',
    meaning: 'Number of event loops that share the listeners, from 1 to 64. `auto` = one per CPU core.',
    read: integerOrAuto(1, 64, availableParallelism),
    effective: (config) => config.workers,
  },
  admin: {
    variable: 'PROXY_ADMIN',
    group: 'admin',
    default: 'http://127.0.0.1:9464',
    inImage: 'http://0.0.0.0:9464',
    meaning:
      'Address of the admin server, which serves `/metrics`, `/livez`, `/readyz`, the status page and the command `tail`. ' +
      '`off` = no admin server. Port 0 selects a free port. With a host name, ' +
      'the server listens only on those of its addresses that this machine has.',
    read: admin,
    effective: (config) => (config.admin ? `http://${authority(config.admin)}` : 'off'),
  },
  recordAddresses: {
    variable: 'PROXY_RECORD_ADDRESSES',
    group: 'recording',
    default: 'none',
    meaning:
      'Which addresses spans and log lines contain. `none`: no addresses. `domain`: the domains of senders and ' +
      "recipients, and the client's IP address. `full`: full addresses, and the `Message-ID` that AhaSend's " +
      'webhooks report. Metrics never contain any of these.',
    read: choice('none', 'domain', 'full'),
    effective: (config) => config.recordAddresses,
  },
  slowMs: {
    variable: 'PROXY_SLOW',
    group: 'recording',
    default: '10s',
    meaning: 'Messages that take longer than this, and sessions whose greeting takes longer, are always traced.',
    read: duration('0s', '1h'),
    effective: (config) => durationText(config.slowMs),
  },
  logLevel: {
    variable: 'PROXY_LOG_LEVEL',
    group: 'log',
    default: 'info',
    meaning: 'Lowest level of log lines to write: `trace`, `debug`, `info`, `warn`, `error`, `fatal` or `silent`.',
    read: choice('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'),
    effective: (config) => config.logLevel,
  },
} satisfies Readonly<Record<string, ProxySetting>>

type ProxySetting = Setting<unknown, Config> & Grouped<keyof typeof GROUPS>

/** The rows in the table's order. */
export const ROWS: readonly ProxySetting[] = Object.values(SETTINGS)

function clientText({ name, networks }: Config['clients'][number]): string {
  const each = String(networks).split(',')
  return each.map((network) => `${name}=${network}`).join(',')
}

function upstreamUrl(upstream: Config['upstreams'][number]): string {
  return `smtp://${authority(upstream)}${upstream.tls ? '' : '?tls=off'}`
}
