/** Connections to an OTLP receiver, with limits on time and concurrency that hold whatever the receiver does. */
import http from 'node:http'
import https from 'node:https'
import type { Duplex } from 'node:stream'
import { CompressionAlgorithm } from '@opentelemetry/otlp-exporter-base'
import packageJson from '../../package.json' with { type: 'json' }
import type { Otlp } from '../settings/effective.ts'
import { serialLookup } from './lookup.ts'

/** The configuration of an exporter. Exporters can read it from the environment, but ignore mistakes there. */
export interface OtlpConnection {
  readonly config: {
    readonly url: string
    readonly headers: Record<string, string>
    readonly timeoutMillis: number
    readonly concurrencyLimit: number
    readonly compression: CompressionAlgorithm
    readonly userAgent: string
    readonly httpAgentOptions: () => http.Agent
  }
  /** The time in milliseconds after which every export should have ended, including a last retry with its full timeout. */
  readonly limitMs: number
  /** Aborts running exports. */
  close(): void
}

/** The limits of a connection. */
export interface OtlpLimits {
  /** The time for one export in milliseconds. The signal's own timeout applies, too: the smaller one wins. */
  readonly exportTimeoutMs: number
  /** The maximum number of concurrent exports. More fail immediately. */
  readonly concurrency: number
}

/** Configures the connection to a receiver. It is opened by the first export. */
export function connectOtlp(otlp: Otlp, { exportTimeoutMs, concurrency }: OtlpLimits): OtlpConnection {
  const timeoutMillis = Math.min(otlp.timeoutMs, exportTimeoutMs)
  const agent = withDeadline(agentOf(otlp), timeoutMillis)
  return {
    config: {
      url: otlp.url,
      headers: { ...otlp.headers },
      timeoutMillis,
      concurrencyLimit: concurrency,
      compression: otlp.compression === 'gzip' ? CompressionAlgorithm.GZIP : CompressionAlgorithm.NONE,
      userAgent: `${packageJson.name}/${packageJson.version}`,
      httpAgentOptions: () => agent,
    },
    limitMs: 2 * timeoutMillis + 1000,
    close: () => agent.destroy(),
  }
}

/** Shared by all exporters. */
const lookup = serialLookup()

function agentOf({ url, authorities, clientKey, clientCertificate }: Otlp): http.Agent {
  const options = { keepAlive: true, lookup }
  if (new URL(url).protocol === 'http:') return new http.Agent(options)
  return new https.Agent({
    ...options,
    ...(authorities && { ca: authorities.pem }),
    ...(clientKey && { key: clientKey.pem }),
    ...(clientCertificate && { cert: clientCertificate.pem }),
  })
}

/**
 * Closes a connection that spends longer than `limitMs` on one request. The exporters' own timeout only limits silence after
 * the connection is open: without this deadline, a resolver or network that does not respond, or a receiver that sends a byte
 * now and then, would keep an export running forever.
 */
function withDeadline<Agent extends http.Agent>(agent: Agent, limitMs: number): Agent {
  const deadlines = new WeakMap<Duplex, NodeJS.Timeout>()
  const stop = (socket: Duplex) => clearTimeout(deadlines.get(socket))
  const start = (socket: Duplex) => {
    stop(socket)
    const cut = () => socket.destroy(Object.assign(new Error('the export took too long'), { code: 'ETIMEDOUT' }))
    deadlines.set(socket, setTimeout(cut, limitMs).unref())
  }
  const { createConnection, keepSocketAlive, reuseSocket } = agent
  agent.createConnection = (options, callback) => {
    const socket = createConnection.call(agent, options, callback)
    if (socket) start(socket.once('close', () => stop(socket)))
    return socket
  }
  agent.keepSocketAlive = (socket) => {
    stop(socket)
    return keepSocketAlive.call(agent, socket)
  }
  agent.reuseSocket = (socket, request) => {
    start(socket)
    reuseSocket.call(agent, socket, request)
  }
  return agent
}
