/** Reads the addresses of listeners, upstreams and the admin server: URLs of a restricted form. */
import { isIP, isIPv4, isIPv6 } from 'node:net'
import { type Fault, shown } from '../../settings/mistakes.ts'
import { listOf, type Reader, type Reading, wrong } from '../../settings/readers.ts'
import { LOCAL_NETWORKS, parseNetworks } from '../net/networks.ts'
import { faultOfName } from './client-names.ts'
import type { Config, ListenAddress, UpstreamAddress } from './config.ts'

/** A listener: `smtp://host:port` or `smtps://host:port`, with `?starttls=required` (only smtp) and `?client=NAME`. */
const listener: Reader<ListenAddress> = (text) => {
  const reading = readUrl(text, LISTENER_URL)
  if ('faults' in reading) return reading
  const { scheme, host, port, parameters } = reading.value
  const client = parameters.get('client')
  const fault = client === undefined ? undefined : faultOfName(client, '?client=NAME')
  if (fault) return wrong(text, fault.expected, fault.fix)
  const starttlsRequired = parameters.has('starttls')
  const address = { url: text, host, port, starttlsRequired, ...(client !== undefined && { client }) }
  if (scheme === 'smtp') return { value: { ...address, scheme } }
  if (!starttlsRequired) return { value: { ...address, scheme: 'smtps' } }
  return wrong(
    text,
    'smtps:// without ?starttls',
    'smtps:// begins with TLS and needs no STARTTLS: remove ?starttls, or use smtp://.',
  )
}

/** An upstream: `smtp://host:port`, with `?tls=off` only for addresses of this machine or of private networks. */
const upstream: Reader<UpstreamAddress> = (text) => {
  if (/^smtps:|:465(?![^/?#])/i.test(text)) return wrong(text, 'smtp:// and port 587, 2525 or 25', NO_IMPLICIT_TLS)
  const reading = readUrl(text, UPSTREAM_URL)
  if ('faults' in reading) return reading
  const { host, port, parameters } = reading.value
  const tls = !parameters.has('tls')
  if (tls || isLocal(host)) return { value: { host, port, tls } }
  return wrong(text, '?tls=off only for localhost and loopback or private IP addresses', TLS_OFF)
}

const NO_IMPLICIT_TLS =
  'AhaSend has no implicit TLS (port 465). Use smtp://send.ahasend.com:587: the proxy automatically starts TLS ' +
  'with STARTTLS.'
const TLS_OFF =
  'Remove ?tls=off. For your own server without TLS, set its IP address: a name may resolve to another address later.'

const localNetworks = parseNetworks(LOCAL_NETWORKS)

function isLocal(host: string): boolean {
  return host === 'localhost' || localNetworks.has(host)
}

/** Comma-separated listeners. */
export const listeners = addresses(listener)

/** Comma-separated upstreams, in order of preference. */
export const upstreams = addresses(upstream)

/** Where the admin server listens: `http://host:port`; undefined for `off`. */
export const admin: Reader<Config['admin']> = (text) => {
  if (text === 'off') return { value: undefined }
  const reading = readUrl(text, ADMIN_URL)
  return 'faults' in reading ? reading : { value: { host: reading.value.host, port: reading.value.port } }
}

/** PROXY_ADMIN in compose.yaml: the name that the proxy has only in the network of Prometheus, in which there are no apps. */
export const ADMIN_IN_COMPOSE = 'http://proxy-admin:9464'

/** A server to connect to as a client: `smtp://host:port` or `smtps://host:port`. `advice` is for a URL with credentials. */
export function serverAddress(advice: string): Reader<ServerAddress> {
  return (text) => {
    const reading = readUrl(text, { ...SERVER_URL, advice })
    if ('faults' in reading) return reading
    const { scheme, host, port } = reading.value
    return { value: { scheme: scheme === 'smtps' ? 'smtps' : 'smtp', host, port } }
  }
}

/** Where a client connects to. */
export interface ServerAddress {
  readonly scheme: 'smtp' | 'smtps'
  readonly host: string
  readonly port: number
}

const NO_CREDENTIALS = 'Remove the credentials: apps send their own, and the proxy relays them unchanged.'

function addresses<T>(read: Reader<T>): Reader<readonly T[]> {
  return (text) => {
    // Checked before splitting at commas, because a password may contain a comma.
    if (!text.includes('@')) return listOf(read)(text)
    return { faults: [{ got: '(credentials, not shown)', expected: 'URLs without credentials', fix: NO_CREDENTIALS }] }
  }
}

/** `host:port` as URLs write it (RFC 3986 3.2). */
export function authority({ host, port }: { readonly host: string; readonly port: number }): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

type Parameters = Readonly<Record<string, string | undefined>>

/** The form of a URL. */
interface UrlForm {
  readonly schemes: readonly string[]
  /** 0 if the system may choose a free port. */
  readonly lowestPort: 0 | 1
  /** The known parameters, each with its only value, or undefined if the reader checks the value. */
  readonly parameters: Parameters
  readonly example: string
  /** What to do about credentials in the URL. */
  readonly advice?: string
}

const LISTENER_URL: UrlForm = {
  schemes: ['smtp', 'smtps'],
  lowestPort: 0,
  parameters: { starttls: 'required', client: undefined },
  example: 'smtp://127.0.0.1:2525',
}
const UPSTREAM_URL: UrlForm = {
  schemes: ['smtp'],
  lowestPort: 1,
  parameters: { tls: 'off' },
  example: 'smtp://send.ahasend.com:587',
}
const SERVER_URL: UrlForm = {
  schemes: ['smtp', 'smtps'],
  lowestPort: 1,
  parameters: {},
  example: 'smtp://127.0.0.1:2525',
}
const ADMIN_URL: UrlForm = { schemes: ['http'], lowestPort: 0, parameters: {}, example: 'http://127.0.0.1:9464' }

interface UrlParts {
  readonly scheme: string
  /** A name in lower case, or an IP address without brackets. */
  readonly host: string
  readonly port: number
  readonly parameters: ReadonlyMap<string, string>
}

/** Splits a URL of the given form. Unlike WHATWG's parser, it repairs nothing and has no default port. */
function readUrl(text: string, form: UrlForm): Reading<UrlParts> {
  if (text.includes('@')) return wrong(text, 'a URL without credentials', form.advice ?? NO_CREDENTIALS)
  const match = /^([a-z]+):\/\/(\[[^\]]*\]|[^:/?#[\]]*):(\d{1,5})([^?]*)(?:\?(.*))?$/i.exec(text)
  if (match === null) return wrong(text, `a URL such as ${form.example}`, 'Write an IPv6 address in brackets: [::1].')
  const [, writtenScheme = '', writtenHost = '', digits = '', path = '', query = ''] = match
  const given = [...new URLSearchParams(query)]
  const parts = {
    scheme: writtenScheme.toLowerCase(),
    host: readHost(writtenHost),
    port: Number(digits),
    parameters: new Map(given),
  }
  const checks: readonly (readonly [right: boolean, expected: string])[] = [
    [form.schemes.includes(parts.scheme), `a URL that begins with ${form.schemes.join(':// or ')}://`],
    [parts.host !== undefined, 'a host name, an IPv4 address or an IPv6 address in brackets'],
    [parts.port >= form.lowestPort && parts.port <= 65_535, `a port from ${form.lowestPort} to 65535`],
    [path === '', 'nothing after the port except parameters'],
    [areKnown(parts.parameters, form.parameters), parametersWanted(form.parameters)],
    [parts.parameters.size === given.length, 'each parameter at most once'],
  ]
  const faults: readonly Fault[] = checks.flatMap(([right, expected]) =>
    right ? [] : [{ got: shown(text), expected }],
  )
  const { host } = parts
  return faults.length > 0 || host === undefined ? { faults } : { value: { ...parts, host } }
}

function areKnown(given: ReadonlyMap<string, string>, known: Parameters): boolean {
  return [...given].every(([name, value]) => Object.hasOwn(known, name) && (known[name] ?? value) === value)
}

function parametersWanted(known: Parameters): string {
  const all = Object.entries(known).map(([name, value]) => `?${name}=${value ?? 'NAME'}`)
  return all.length === 0 ? 'no parameters' : `no parameter except ${all.join(', ')}`
}

/** A host without brackets and, if it is a name, in lower case; undefined when it is neither a name nor an address. */
function readHost(written: string): string | undefined {
  if (written.startsWith('[')) {
    const address = written.slice(1, -1)
    return isIPv6(address) ? address : undefined
  }
  const name = written.toLowerCase()
  return isIPv4(name) || isHostName(name) ? name : undefined
}

/** RFC 1123 2.1, plus underscores, which container names may have. */
function isHostName(name: string): boolean {
  const labels = name.split('.')
  // Resolvers read names that end in a number as old forms of IPv4 addresses: 127.1, 2130706433, 0x7f000001.
  if (isIP(name) !== 0 || /^(?:\d+|0x[0-9a-f]*)$/.test(labels.at(-1) ?? '')) return false
  return name.length <= 253 && labels.every((label) => /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/.test(label))
}
