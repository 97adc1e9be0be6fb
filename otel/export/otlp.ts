/** The way to an OTLP receiver: bounded in time and number, whatever the receiver does. */
import http from 'node:http'
import https from 'node:https'
import type { Duplex } from 'node:stream'
import { CompressionAlgorithm } from '@opentelemetry/otlp-exporter-base'
import packageJson from '../../package.json' with { type: 'json' }
import type { Otlp } from '../settings/effective.ts'
import { oneAtATime } from './lookup.ts'

/** An exporter's configuration. The exporters would read the same from the environment, and ignore mistakes in it. */
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
  /** Milliseconds after which every export has ended: an attempt that begins at the last moment has all its time. */
  readonly limitMs: number
  /** Ends what is under way. */
  close(): void
}

export interface OtlpLimits {
  /** Milliseconds for one export, besides the signal's own timeout: the smaller one counts. */
  readonly exportTimeoutMs: number
  /** Exports at a time; those beyond fail at once. */
  readonly concurrency: number
}

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

/** Of all exporters together. */
const lookup = oneAtATime()

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
 * Cuts a connection that serves one request for longer than `limitMs`. The exporters' own timeout counts silence, and
 * only once connected: a resolver or network that does not answer, or a receiver that sends an octet now and then, would
 * hold an export for ever.
 */
function withDeadline<Agent extends http.Agent>(agent: Agent, limitMs: number): Agent {
  const deadlines = new WeakMap<Duplex, NodeJS.Timeout>()
  const stop = (socket: Duplex) => clearTimeout(deadlines.get(socket))
  const begin = (socket: Duplex) => {
    stop(socket)
    const cut = () => socket.destroy(Object.assign(new Error('the export took too long'), { code: 'ETIMEDOUT' }))
    deadlines.set(socket, setTimeout(cut, limitMs).unref())
  }
  const { createConnection, keepSocketAlive, reuseSocket } = agent
  agent.createConnection = (options, callback) => {
    const socket = createConnection.call(agent, options, callback)
    if (socket) begin(socket.once('close', () => stop(socket)))
    return socket
  }
  agent.keepSocketAlive = (socket) => {
    stop(socket)
    return keepSocketAlive.call(agent, socket)
  }
  agent.reuseSocket = (socket, request) => {
    begin(socket)
    reuseSocket.call(agent, socket, request)
  }
  return agent
}
