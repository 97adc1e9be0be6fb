/** THE table of settings: the parser, `--help`, the README's table and the start log line are made of it. */
import { availableParallelism } from 'node:os'
import type { Documented } from '../../settings/tables.ts'
import { CIPHER_POLICIES } from '../net/cipher-suites.ts'
import { LOCAL_NETWORKS } from '../net/networks.ts'
import { admin, listeners, upstreams } from './addresses.ts'
import type { Config } from './config.ts'
import { choice, clients, duration, integer, integerOrAuto, networks, path, type Reader } from './values.ts'

/** One environment variable; its default is text for `read`. */
export interface Setting<T> extends Documented {
  readonly read: Reader<T>
  /** The value in effect, for the start log line; undefined = none. */
  readonly effective: (config: Config) => string | number | undefined
}

export const SETTINGS = {
  listeners: {
    variable: 'PROXY_LISTEN',
    default: 'smtp://127.0.0.1:2525',
    inImage: 'smtp://0.0.0.0:2525',
    meaning:
      'Where to listen, comma-separated: `smtp://host:port` (plain; offers STARTTLS when a certificate is set; ' +
      '`?starttls=required` refuses mail before TLS with 530) or `smtps://host:port` (TLS from the first byte). ' +
      'IPv6 in brackets. Port 0 = any, printed at start.',
    read: listeners,
    effective: (config) => config.listeners.map(({ url }) => url).join(','),
  },
  upstreams: {
    variable: 'PROXY_UPSTREAM',
    default: 'smtp://send.ahasend.com:587',
    meaning:
      'Where mail goes, comma-separated in order of preference: the next is dialled only when the one before cannot be ' +
      'reached or greets with 421. AhaSend in the US is `smtp://send-us.ahasend.com:587`; no region is used that is ' +
      'not listed. TLS is always used and verified; `?tls=off` only for localhost, loopback and private addresses.',
    read: upstreams,
    effective: (config) => config.upstreams.map(upstreamUrl).join(','),
  },
  upstreamCaFile: {
    variable: 'PROXY_UPSTREAM_CA_FILE',
    default: '',
    meaning:
      'PEM file of certificate authorities to trust for the upstream, besides the usual ones. Verification itself ' +
      'cannot be turned off.',
    read: path,
    effective: (config) => config.upstreamCaFile,
  },
  certFile: {
    variable: 'PROXY_TLS_CERT_FILE',
    default: '',
    meaning:
      "PEM file of the listeners' certificate, the proxy's own first, then its chain. Read again when the file changes.",
    read: path,
    effective: (config) => config.tls?.certFile,
  },
  keyFile: {
    variable: 'PROXY_TLS_KEY_FILE',
    default: '',
    meaning: 'PEM file of the private key of that certificate, not encrypted. Read again when the file changes.',
    read: path,
    effective: (config) => config.tls?.keyFile,
  },
  ciphers: {
    variable: 'PROXY_TLS_CIPHERS',
    default: 'intermediate',
    meaning:
      'Cipher suites for applications. `intermediate`: forward secrecy and authenticated encryption only. `old`: also ' +
      'AES-CBC and RSA key exchange, for TLS libraries from before 2014. TLS is 1.2 or newer with both.',
    read: choice(...CIPHER_POLICIES),
    effective: (config) => config.tls?.ciphers,
  },
  allow: {
    variable: 'PROXY_ALLOW',
    default: LOCAL_NETWORKS,
    meaning:
      'Networks that may connect, comma-separated CIDRs or addresses; others get `421 4.7.0` and are counted. The ' +
      'default is loopback and the private ranges; everybody is `0.0.0.0/0,::/0`.',
    read: networks,
    effective: (config) => String(config.allow),
  },
  clients: {
    variable: 'PROXY_CLIENTS',
    default: '',
    meaning:
      'Names for networks of clients, for the label `smtp.client.name`: `billing=10.1.0.0/16,web=10.2.3.4`. A name may ' +
      'have several networks; the first name that fits counts; clients without one are `other`. At most 100 names.',
    read: clients,
    effective: (config) => config.clients.map(clientText).join(',') || undefined,
  },
  trustProxyProtocol: {
    variable: 'PROXY_TRUST_PROXY_PROTOCOL',
    default: '',
    meaning:
      'Networks of load balancers, comma-separated: from there a PROXY protocol header (version 1 or 2) is required ' +
      'and believed.',
    read: networks,
    effective: (config) => String(config.trustProxyProtocol) || undefined,
  },
  maxSessions: {
    variable: 'PROXY_MAX_SESSIONS',
    default: '10000',
    meaning:
      'Sessions at a time; further clients get `421 4.3.2` in place of the greeting. The default is lower where the limit ' +
      'of open files allows fewer sessions.',
    read: integer(1, 1_000_000),
    effective: (config) => config.maxSessions,
  },
  maxSessionsPerClient: {
    variable: 'PROXY_MAX_SESSIONS_PER_CLIENT',
    default: '0',
    meaning: 'The same for each client address, IPv6 by its /64; 0 = no cap.',
    read: integer(0, 1_000_000),
    effective: (config) => config.maxSessionsPerClient,
  },
  dialTimeoutMs: {
    variable: 'PROXY_DIAL_TIMEOUT',
    default: '10s',
    meaning: 'For reaching an upstream: name, connection, greeting and TLS together. At most 25s.',
    read: duration(
      '100ms',
      '25s',
      'Choose 25s or less, because applications give up on a greeting: nodemailer after 30s.',
    ),
    effective: (config) => durationText(config.dialTimeoutMs),
  },
  idleTimeoutMs: {
    variable: 'PROXY_IDLE_TIMEOUT',
    default: '5m',
    meaning:
      'Ends a session in which nothing moved either way. Longer than the 60s of AhaSend on purpose, so that ' +
      "AhaSend's own 421 is what applications see.",
    read: duration('1s', '24h'),
    effective: (config) => durationText(config.idleTimeoutMs),
  },
  drainTimeoutMs: {
    variable: 'PROXY_DRAIN_TIMEOUT',
    default: '30s',
    meaning:
      'How long messages in flight may take to finish after SIGTERM or SIGINT. Meanwhile the proxy accepts no new ' +
      'sessions and answers 421 between messages. A second signal ends the proxy immediately, but the same ' +
      'signal repeated within 2s is ignored. `PROXY_STOP_GRACE` must be longer.',
    read: duration('0s', '1h'),
    effective: (config) => durationText(config.drainTimeoutMs),
  },
  stopGraceMs: {
    variable: 'PROXY_STOP_GRACE',
    default: '60s',
    meaning:
      'How long the supervisor waits between SIGTERM and SIGKILL: at least 5s longer than `PROXY_DRAIN_TIMEOUT`. ' +
      'compose.yaml sets `stop_grace_period` to it; elsewhere, set the stop timeout of your supervisor and this to the ' +
      'same value. After a drain that cut messages, the proxy uses what is left of it to wait for a last scrape of ' +
      '`/metrics`.',
    read: duration('0s', '2h'),
    effective: (config) => durationText(config.stopGraceMs),
  },
  warmConnections: {
    variable: 'PROXY_WARM_CONNECTIONS',
    default: '8',
    meaning:
      'At most so many upstream connections dialled ahead of need, following the recent rate of new sessions; 0 = off.',
    read: integer(0, 256),
    effective: (config) => config.warmConnections,
  },
  workers: {
    variable: 'PROXY_WORKERS',
    default: '1',
    meaning: 'Event loops that share the listeners, 1 to 64; `auto` = one per core.',
    read: integerOrAuto(1, 64, availableParallelism),
    effective: (config) => config.workers,
  },
  admin: {
    variable: 'PROXY_ADMIN',
    default: 'http://127.0.0.1:9464',
    inImage: 'http://0.0.0.0:9464',
    meaning: 'Where `/metrics`, `/livez`, `/readyz` and the status page are; `off` = none. Port 0 = any.',
    read: admin,
    effective: (config) => (config.admin ? `http://${authority(config.admin)}` : 'off'),
  },
  recordAddresses: {
    variable: 'PROXY_RECORD_ADDRESSES',
    default: 'none',
    meaning:
      'What spans and log lines may say of addresses. `none`: nothing. `domain`: the domains of senders and recipients, ' +
      "and the client's IP address. `full`: whole addresses, and the `Message-ID` that AhaSend's webhooks name. No " +
      'metric has any of it.',
    read: choice('none', 'domain', 'full'),
    effective: (config) => config.recordAddresses,
  },
  slowMs: {
    variable: 'PROXY_SLOW',
    default: '10s',
    meaning: 'A mail slower than this is always traced, and so is a session whose greeting took longer.',
    read: duration('0s', '1h'),
    effective: (config) => durationText(config.slowMs),
  },
  logLevel: {
    variable: 'PROXY_LOG_LEVEL',
    default: 'info',
    meaning: '`trace`, `debug`, `info`, `warn`, `error`, `fatal` or `silent`.',
    read: choice('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'),
    effective: (config) => config.logLevel,
  },
} satisfies Readonly<Record<string, Setting<unknown>>>

/** What the settings read as, by the table's keys. */
export type Values = {
  readonly [Key in keyof typeof SETTINGS]: (typeof SETTINGS)[Key] extends { read: Reader<infer T> } ? T : never
}

/** The rows in the table's order. */
export const ROWS: readonly Setting<unknown>[] = Object.values(SETTINGS)

function clientText({ name, networks }: Config['clients'][number]): string {
  const each = String(networks).split(',')
  return each.map((network) => `${name}=${network}`).join(',')
}

function upstreamUrl(upstream: Config['upstreams'][number]): string {
  return `smtp://${authority(upstream)}${upstream.tls ? '' : '?tls=off'}`
}

/** `host:port` as URLs write it (RFC 3986 3.2). */
export function authority({ host, port }: { readonly host: string; readonly port: number }): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

const UNITS = [
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
] as const

/** A duration the way settings write it: in the largest unit that needs no fraction. */
function durationText(ms: number): string {
  const [unit, size] = UNITS.find(([, unitMs]) => ms >= unitMs && ms % unitMs === 0) ?? ['ms', 1]
  return `${ms / size}${unit}`
}
