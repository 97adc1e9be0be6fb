import http from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { listenError } from '../net/listen-error.ts'
import { authority } from '../settings/addresses.ts'
import { Scrapes } from './scrapes.ts'
import { type Status, statusPage } from './status-page.ts'

/** What clients may take; tests shorten the times. Arbitrary: a probe or a scrape needs far less. */
export const ADMIN_LIMITS = {
  /** Connections at once. For one more, the one that has been open longest is cut: probes get in, whoever holds on. */
  connections: 128,
  /** Requests behind the first are refused, so that a client that reads nothing makes one answer wait and no more. */
  requestsPerConnection: 1,
  headerBytes: 8192,
  /** For a request to arrive. */
  requestMs: 5000,
  /** From the beginning of a connection to its end, for a client that reads slowly, or asks and never reads. */
  connectionMs: 15_000,
}

export interface AdminOptions {
  readonly host: string
  /** 0 = any. */
  readonly port: number
  /** The scrape page, in Prometheus' text format. */
  readonly page: () => Promise<string>
  readonly status: () => Status
  /** True when the proxy listens and does not drain; else why it takes no new sessions. */
  readonly ready: () => true | string
  readonly limits?: Partial<typeof ADMIN_LIMITS>
}

export interface Admin {
  /** The port that it got. */
  readonly port: number
  /**
   * Resolves when /metrics has been scraped once more, or after `limitMs`. Undefined when no one has scraped it lately, or
   * when `limitMs` is not above 0. Never rejects.
   */
  nextScrape(limitMs: number): Promise<void> | undefined
  /** Stops listening and cuts what is open. Never rejects. */
  close(): Promise<void>
}

interface Answer {
  readonly status: number
  readonly type: 'text/plain; version=0.0.4; charset=utf-8' | 'text/plain; charset=utf-8' | 'text/html; charset=utf-8'
  readonly body: string
}

const SCRAPE_PATH = '/metrics'

type Route = () => Answer | Promise<Answer>
type Routes = ReadonlyMap<string, Route>

/**
 * Starts the HTTP server for operators: `/metrics`, `/livez`, `/readyz` and a status page. It reads no body, keeps
 * nothing, and gives no client much time, memory or trust. Rejects when it cannot listen, with an error that names
 * PROXY_ADMIN and what to do.
 */
export function startAdmin(options: AdminOptions): Promise<Admin> {
  const routes = routesOf(options)
  const scrapes = new Scrapes()
  const limits = { ...ADMIN_LIMITS, ...options.limits }
  const server = http.createServer(
    {
      maxHeaderSize: limits.headerBytes,
      headersTimeout: limits.requestMs,
      requestTimeout: limits.requestMs,
      connectionsCheckingInterval: Math.min(1000, limits.requestMs),
    },
    (request, response) => {
      if (request.method === 'GET' && pathOf(request) === SCRAPE_PATH) observe(response, scrapes.begun())
      return respond(routes, request, response)
    },
  )
  server.maxRequestsPerSocket = limits.requestsPerConnection
  server.on('connection', makeRoom(limits))
  return new Promise((settle, fail) => {
    server.once('error', (error) =>
      fail(listenError('PROXY_ADMIN', `http://${authority(options)}`, error, ', or set it to off')),
    )
    server.listen(options.port, options.host, () => {
      // A connection that could not be accepted (out of file descriptors) must not end the proxy.
      server.removeAllListeners('error').on('error', () => {})
      settle({
        port: (server.address() as AddressInfo).port,
        nextScrape: (limitMs) => scrapes.next(limitMs),
        close: () => close(server),
      })
    })
  })
}

/** Calls `sent` once the whole page was sent and its connection is closed: a connection that is open may be cut. */
function observe(response: http.ServerResponse, sent: () => void): void {
  response.socket?.once('close', () => {
    if (response.statusCode === 200 && response.writableFinished) sent()
  })
}

/** Cuts connections that are too old or too many. */
function makeRoom({ connections, connectionMs }: typeof ADMIN_LIMITS): (socket: Socket) => void {
  const open = new Set<Socket>()
  return (socket) => {
    const timer = setTimeout(() => socket.destroy(), connectionMs).unref()
    socket.once('close', () => {
      clearTimeout(timer)
      open.delete(socket)
    })
    open.add(socket)
    const [longest] = open // a Set keeps the order in which things came
    if (longest === undefined || open.size <= connections) return
    open.delete(longest)
    longest.destroy()
  }
}

function routesOf({ page, status, ready }: AdminOptions): Routes {
  return new Map<string, Route>([
    [SCRAPE_PATH, async () => ({ status: 200, type: 'text/plain; version=0.0.4; charset=utf-8', body: await page() })],
    ['/livez', () => text(200, 'alive')],
    ['/readyz', () => readiness(ready())],
    ['/', () => ({ status: 200, type: 'text/html; charset=utf-8', body: statusPage(status()) })],
  ])
}

function readiness(ready: true | string): Answer {
  return ready === true ? text(200, 'ready') : text(503, ready)
}

function text(status: number, sentence: string): Answer {
  return { status, type: 'text/plain; charset=utf-8', body: `${sentence}\n` }
}

async function respond(routes: Routes, request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
  const route = routes.get(pathOf(request))
  const mayRead = request.method === 'GET' || request.method === 'HEAD'
  if (!route) return write(response, text(404, 'not found'))
  if (!mayRead) return write(response.setHeader('allow', 'GET, HEAD'), text(405, 'GET and HEAD only'))
  try {
    write(response, await route())
  } catch {
    write(response, text(500, 'this page could not be made'))
  }
}

function pathOf({ url }: http.IncomingMessage): string {
  return url?.split('?', 1)[0] ?? ''
}

/** The headers keep browsers from running, framing, keeping or reinterpreting anything. */
function write(response: http.ServerResponse, { status, type, body }: Answer): void {
  response.writeHead(status, {
    'content-type': type,
    'content-length': Buffer.byteLength(body),
    connection: 'close',
    'cache-control': 'no-store',
    'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    'cross-origin-resource-policy': 'same-origin',
    'referrer-policy': 'no-referrer',
    'x-content-type-options': 'nosniff',
  })
  response.end(body)
}

function close(server: http.Server): Promise<void> {
  return new Promise((closed) => {
    server.close(() => closed())
    server.closeAllConnections()
  })
}
