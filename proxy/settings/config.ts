/** The effective configuration of the proxy, as types. */
import type { CipherPolicy } from '../net/cipher-suites.ts'
import type { NetworkSet } from '../net/networks.ts'

/** Where the proxy listens. */
export interface ListenAddress {
  /** As configured, for logs and telemetry. */
  readonly url: string
  readonly scheme: 'smtp' | 'smtps'
  readonly host: string
  /** 0 = any. */
  readonly port: number
  /** True when everything but EHLO, HELO, NOOP, RSET, HELP, VRFY, QUIT and STARTTLS is refused before TLS. */
  readonly starttlsRequired: boolean
  /** The name of every client on this listener, whatever `clients` says. */
  readonly client?: string
}

/** Where mail goes. */
export interface UpstreamAddress {
  readonly host: string
  readonly port: number
  /** False only for loopback and private addresses (`?tls=off`). */
  readonly tls: boolean
}

/** The effective configuration: frozen, complete, free of secrets. */
export interface Config {
  readonly listeners: readonly ListenAddress[]
  readonly upstreams: readonly UpstreamAddress[]
  readonly upstreamCaFile?: string
  /** The listeners' certificate, and the cipher suites that apps may use. */
  readonly tls?: { readonly certFile: string; readonly keyFile: string; readonly ciphers: CipherPolicy }
  readonly allow: NetworkSet
  readonly clients: readonly { readonly name: string; readonly networks: NetworkSet }[]
  readonly trustProxyProtocol: NetworkSet
  readonly maxSessions: number
  /** 0 = no cap. */
  readonly maxSessionsPerClient: number
  readonly dialTimeoutMs: number
  readonly idleTimeoutMs: number
  readonly drainTimeoutMs: number
  /** Between the supervisor's SIGTERM and its SIGKILL. */
  readonly stopGraceMs: number
  readonly warmConnections: number
  readonly workers: number
  /** Absent = no admin server. */
  readonly admin?: { readonly host: string; readonly port: number }
  readonly recordAddresses: 'none' | 'domain' | 'full'
  readonly slowMs: number
  readonly logLevel: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent'
}
