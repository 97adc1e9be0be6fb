/** Checks beyond a single setting: settings that contradict each other, and unknown variables. Pure. */
import { type Environment, isSet } from '../../settings/environment.ts'
import { missing, mistake, shown } from '../../settings/mistakes.ts'
import { unknownNames } from '../../settings/names.ts'
import { pairFault } from '../../settings/pem.ts'
import type { Values } from '../../settings/table.ts'
import { buildIdentity } from '../net/listener-certificate.ts'
import { canonicalAddress, parseNetworks } from '../net/networks.ts'
import { authority } from './addresses.ts'
import { clientNames, MAX_CLIENT_NAMES } from './client-names.ts'
import { ROWS, SETTINGS } from './table.ts'

/** The settings that could be read. */
export type ReadValues = Partial<Values<typeof SETTINGS>>

/** Settings that contradict each other. */
export function contradictions(values: ReadValues, env: Environment): string[] {
  return [
    ...unpairedFile(env),
    ...badIdentity(values),
    ...missingCertificate(values),
    ...sharedAddresses(values),
    ...loops(values),
    ...tooManyNames(values),
  ]
}

/** A certificate without a key, or the reverse. */
function unpairedFile(env: Environment): string[] {
  const { certFile, keyFile } = SETTINGS
  if (isSet(certFile.variable, env) === isSet(keyFile.variable, env)) return []
  const [present, absent] = isSet(certFile.variable, env) ? [certFile, keyFile] : [keyFile, certFile]
  return [missing(absent.variable, present.variable, 'a file')]
}

/** A certificate with another one's key, or with a key that OpenSSL refuses. */
function badIdentity({ certFile, keyFile }: ReadValues): string[] {
  if (certFile === undefined || keyFile === undefined) return []
  const identity = buildIdentity(certFile.pem, keyFile.pem)
  return 'reason' in identity ? [mistake(SETTINGS.keyFile.variable, pairFault(certFile, keyFile, identity.reason))] : []
}

function missingCertificate(values: ReadValues): string[] {
  if (!('certFile' in values && 'keyFile' in values) || values.certFile !== undefined || values.keyFile !== undefined) {
    return []
  }
  const { variable } = SETTINGS.listeners
  const fix = `Set ${SETTINGS.certFile.variable} and ${SETTINGS.keyFile.variable}, or use a listener without TLS.`
  return (values.listeners ?? [])
    .filter(({ scheme, starttlsRequired }) => scheme === 'smtps' || starttlsRequired)
    .map(({ url }) => mistake(variable, { got: shown(url), expected: 'a certificate for this listener', fix }))
}

interface Endpoint {
  readonly host: string
  readonly port: number
}

/** Two listeners, or a listener and the admin server, at the same address. Workers would share it without an error. */
function sharedAddresses({ listeners = [], admin }: ReadValues): string[] {
  const own = [...listeners.map(listening), ...(admin ? [{ variable: SETTINGS.admin.variable, endpoint: admin }] : [])]
  return own.flatMap(({ variable, endpoint }, index) => {
    const earlier = own.slice(0, index).find((other) => overlap(other.endpoint, endpoint))
    if (earlier === undefined) return []
    const expected = `an unused address and port: ${earlier.variable} already uses ${authority(earlier.endpoint)}`
    const fix = 'Change one port: 0.0.0.0 covers every IPv4 address, and [::] covers every address, including IPv4.'
    return [mistake(variable, { got: shown(authority(endpoint)), expected, fix })]
  })
}

function listening(endpoint: Endpoint): { readonly variable: string; readonly endpoint: Endpoint } {
  return { variable: SETTINGS.listeners.variable, endpoint }
}

/** An upstream that is the proxy itself: every session would open another one. */
function loops({ listeners = [], upstreams = [] }: ReadValues): string[] {
  const fix = 'Set the address of the server to send mail to.'
  return upstreams.flatMap((upstream) => {
    const itself = listeners.find(
      (listener) => upstream.port === listener.port && reaches(upstream.host, listener.host),
    )
    if (itself === undefined) return []
    const expected = `a server that is not this proxy, which listens on ${itself.url}`
    return [mistake(SETTINGS.upstreams.variable, { got: shown(authority(upstream)), expected, fix })]
  })
}

/** Names of listeners and of networks that are too many together. Too many networks are reported by their reader. */
function tooManyNames({ listeners = [], clients = [] }: ReadValues): string[] {
  const size = clientNames({ listeners, clients }).length
  if (size <= MAX_CLIENT_NAMES) return []
  const { variable } = SETTINGS.listeners
  const expected = `at most ${MAX_CLIENT_NAMES} different names, with those in ${SETTINGS.clients.variable}`
  return [
    mistake(variable, { got: `${size} names`, expected, fix: 'Give several listeners or networks the same name.' }),
  ]
}

const loopback = parseNetworks('127.0.0.0/8,::1')

/** Whether two listening sockets use the same address. Port 0 uses none. */
function overlap(one: Endpoint, other: Endpoint): boolean {
  if (one.port === 0 || one.port !== other.port) return false
  const hosts = [one.host, other.host].map(spelling)
  if (hosts.includes('::')) return true
  if (hosts.includes('0.0.0.0')) return !hosts.some((host) => host.includes(':'))
  return addressesOf(one.host).some((address) => addressesOf(other.host).includes(address))
}

/** Whether a connection to `host` can arrive at a listener on `listenHost`. Names are not resolved. */
function reaches(host: string, listenHost: string): boolean {
  const listen = spelling(listenHost)
  return addressesOf(host).some((address) => {
    if (listen === '::') return loopback.has(address)
    if (listen === '0.0.0.0') return loopback.has(address) && !address.includes(':')
    return addressesOf(listenHost).includes(address)
  })
}

/** The addresses of a host. Connecting to an unspecified address reaches this machine. */
function addressesOf(host: string): readonly string[] {
  const plain = spelling(host)
  if (plain === 'localhost' || plain === '::') return ['127.0.0.1', '::1']
  return plain === '0.0.0.0' ? ['127.0.0.1'] : [plain]
}

function spelling(host: string): string {
  return canonicalAddress(host) ?? host
}

/** Names that compose.yaml itself reads from the same file as the settings. */
export const COMPOSE_NAMES = ['PROXY_IMAGE', 'PROXY_MEMORY', 'PROXY_CPUS'] as const

const KNOWN_NAMES = [...ROWS.map(({ variable }) => variable), ...COMPOSE_NAMES]

/** A message for each variable that begins with PROXY_ and misspells a setting. */
export function misspelledVariables(env: Environment): readonly string[] {
  return unknownNames(env, KNOWN_NAMES).misspelled
}

/** A warning that names unknown variables that begin with PROXY_ and misspell no setting, such as PROXY_URL. */
export function foreignVariables(env: Environment): string[] {
  const { foreign } = unknownNames(env, KNOWN_NAMES)
  return foreign.length === 0
    ? []
    : [`${foreign.join(', ')}: unknown to this proxy and ignored. See --help all for its settings.`]
}
