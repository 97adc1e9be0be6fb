import http from 'node:http'
import net, { type AddressInfo } from 'node:net'
import { listenError } from '../net/listen-error.ts'
import { type FindAddresses, ownAddresses } from '../net/own-addresses.ts'
import { authority } from '../settings/addresses.ts'
import { Connections } from './connections.ts'
import { EventStreams, type Stream } from './event-streams.ts'
import { Scrapes } from './scrapes.ts'

export type { Stream, StreamReader } from './event-streams.ts'

/** Limits for clients. Tests shorten the times. Arbitrary: a probe or a scrape needs far less. */
export const ADMIN_LIMITS = {
  /** Concurrent connections. A further one cuts the oldest, so that probes get through even if clients hold connections. */
  connections: 128,
  /** Streams at a time. A further one is refused with 503. */
  streams: 8,
  /** A reader of a stream for which more bytes than this wait is cut. */
  streamBytes: 1024 * 1024,
  /** Further requests are refused, so that a client that does not read keeps at most one response in memory. */
  requestsPerConnection: 1,
  headerBytes: 8192,
  /** Time for a request to arrive. */
  requestMs: 5000,
  /** The longest lifetime of a connection that is no stream, for clients that read slowly or not at all. */
  connectionMs: 15_000,
}

export interface AdminOptions {
  /** An IP address, or a name of which only the addresses of this machine count. */
  readonly host: string
  /** 0 = any. */
  readonly port: number
  /** The scrape page, in Prometheus' text format. */
  readonly page: () => Promise<string>
  /** Further pages, by path. */
  readonly pages: ReadonlyMap<string, () => Page | Promise<Page>>
  /** Server-sent events, by path. */
  readonly streams: ReadonlyMap<string, Stream>
  /** True if the proxy listens and does not drain; otherwise the reason why it accepts no sessions. */
  readonly ready: () => true | string
  readonly limits?: Partial<typeof ADMIN_LIMITS>
  /** Replaces the resolver in tests. */
  readonly findAddresses?: FindAddresses
  /** The setting with the address, for the error if it cannot listen. Default PROXY_ADMIN. */
  readonly variable?: string
}

export interface Admin {
  /** The actual port. */
  readonly port: number
  /**
   * Resolves after the next scrape of /metrics, or after `limitMs`. Undefined if there was no recent scrape, or if
   * `limitMs` is not above 0. Never rejects.
   */
  nextScrape(limitMs: number): Promise<void> | undefined
  /** Stops listening and cuts open connections. Never rejects. */
  close(): Promise<void>
}

/** What a path answers. `type` is its media type. */
export interface Page {
  readonly type: string
  readonly body: string
}

interface PlainResponse extends Page {
  readonly status: number
}

const SCRAPE_PATH = '/metrics'

type Route = () => PlainResponse | Promise<PlainResponse>
type Routes = ReadonlyMap<string, Route>

/**
 * Starts the HTTP server for operators: `/metrics`, `/livez`, `/readyz` and a status page. It reads no body, keeps
 * nothing, and limits the time and the memory of each client. If it cannot listen, it rejects with an error that names
 * the setting and the fix.
 */
export async function startAdmin(options: AdminOptions): Promise<Admin> {
  const routes = routesOf(options)
  const scrapes = new Scrapes()
  const limits = { ...ADMIN_LIMITS, ...options.limits }
  const connections = new Connections(limits)
  const streams = new EventStreams(limits)
  const server = http.createServer(
    {
      maxHeaderSize: limits.headerBytes,
      headersTimeout: limits.requestMs,
      requestTimeout: limits.requestMs,
      connectionsCheckingInterval: Math.min(1000, limits.requestMs),
    },
    (request, response) => {
      if (request.method === 'GET' && pathOf(request) === SCRAPE_PATH) onceSent(response, scrapes.begun())
      const stream = request.method === 'GET' ? options.streams.get(pathOf(request)) : undefined
      if (!stream) return respond(routes, request, response)
      if (streams.full) return write(response, text(503, 'too many open pages'))
      setHeaders(response, { ...SECURITY, 'content-type': 'text/event-stream; charset=utf-8' })
      const refusal = streams.start(stream, queryOf(request), response)
      if (refusal !== undefined) return write(response, text(400, refusal))
      connections.keep(request.socket)
    },
  )
  server.maxRequestsPerSocket = limits.requestsPerConnection
  server.on('connection', (socket) => connections.add(socket))
  const opened = await open(server, options)
  return {
    port: (server.address() as AddressInfo).port,
    nextScrape: (limitMs) => scrapes.next(limitMs),
    close: () => close(server, opened),
  }
}

/**
 * Listens on every address of the host that belongs to this machine. Returns the listeners other than `server`, which pass
 * their connections to it.
 */
async function open(
  server: http.Server,
  { host, port, findAddresses, variable = 'PROXY_ADMIN' }: AdminOptions,
): Promise<readonly net.Server[]> {
  const others: net.Server[] = []
  try {
    const [first, ...addresses] = await ownAddresses(host, findAddresses)
    await listen(server, first, port)
    for (const address of addresses) {
      const other = net.createServer((socket) => server.emit('connection', socket))
      await listen(other, address, (server.address() as AddressInfo).port)
      others.push(other)
    }
    return others
  } catch (error) {
    for (const opened of [server, ...others]) opened.close()
    const url = `http://${authority({ host, port })}`
    throw listenError(variable, url, error as NodeJS.ErrnoException, ', or set it to off')
  }
}

function listen(server: net.Server, host: string, port: number): Promise<void> {
  return new Promise((settle, fail) => {
    server.once('error', fail)
    server.listen(port, host, () => {
      // a connection that cannot be accepted (no file descriptor left) must not end the proxy
      server.removeAllListeners('error').on('error', () => {})
      settle()
    })
  })
}

/** Calls `sent` once the whole page was sent and its connection is closed: an open connection may still be cut. */
function onceSent(response: http.ServerResponse, sent: () => void): void {
  response.socket?.once('close', () => {
    if (response.statusCode === 200 && response.writableFinished) sent()
  })
}

function routesOf({ page, pages, ready }: AdminOptions): Routes {
  return new Map<string, Route>([
    [SCRAPE_PATH, async () => ({ status: 200, type: 'text/plain; version=0.0.4; charset=utf-8', body: await page() })],
    ['/livez', () => text(200, 'alive')],
    ['/readyz', () => readiness(ready())],
    ...[...pages].map(([path, make]) => [path, async () => ({ status: 200, ...(await make()) })] as const),
  ])
}

function readiness(ready: true | string): PlainResponse {
  return ready === true ? text(200, 'ready') : text(503, ready)
}

function text(status: number, content: string): PlainResponse {
  return { status, type: 'text/plain; charset=utf-8', body: `${content}\n` }
}

async function respond(routes: Routes, request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
  const route = routes.get(pathOf(request))
  const isRead = request.method === 'GET' || request.method === 'HEAD'
  if (!route) return write(response, text(404, 'not found'))
  if (!isRead) return write(response.setHeader('allow', 'GET, HEAD'), text(405, 'GET and HEAD only'))
  try {
    write(response, await route())
  } catch {
    write(response, text(500, 'failed to create this page'))
  }
}

function pathOf({ url }: http.IncomingMessage): string {
  return url?.split('?', 1)[0] ?? ''
}

function queryOf({ url }: http.IncomingMessage): URLSearchParams {
  return new URLSearchParams(url?.split('?').slice(1).join('?'))
}

function setHeaders(response: http.ServerResponse, headers: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value)
}

/** Prevents browsers from running anything but the page's own scripts, and from framing, caching or reinterpreting a page. */
const SECURITY = {
  'cache-control': 'no-store',
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; " +
    "frame-ancestors 'none'",
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
}

function write(response: http.ServerResponse, { status, type, body }: PlainResponse): void {
  const length = Buffer.byteLength(body)
  response.writeHead(status, { ...SECURITY, 'content-type': type, 'content-length': length, connection: 'close' })
  response.end(body)
}

function close(server: http.Server, others: readonly net.Server[]): Promise<void> {
  return new Promise((closed) => {
    for (const other of others) other.close()
    server.close(() => closed())
    // Node sends what streams wrote in this turn only at its end
    setImmediate(() => server.closeAllConnections())
  })
}
