/** An OTLP receiver inside the test process: it records what arrives over HTTP, and fails on request. */

import { randomBytes } from 'node:crypto'
import http from 'node:http'
import https from 'node:https'
import type { TLSSocket } from 'node:tls'
import { gunzipSync } from 'node:zlib'
import { listenOnLoopback } from '../sockets/listen.ts'
import { Changes } from '../waiting/changes.ts'

/**
 * How the receiver answers exports. A number is an HTTP status.
 * - `hang`: reads the request and never answers.
 * - `drip`: answers with a body that never ends, one byte every 20 ms.
 * - `flood`: answers with a body that never ends, as fast as it can.
 * - `deaf`: does not read the request.
 * - `reset`: reads the request and resets the connection.
 * - `upgrade`: switches to a protocol that the client did not ask for.
 * - `garbage`: accepts, with a body that is no protobuf message.
 * - `babble`: answers with bytes that are no HTTP.
 * - `afterMs`: accepts after this time.
 * - `rejected`: accepts all but this number of items (partial success).
 * - `retryAfter`: refuses for this number of seconds, with 503 unless another status is given.
 */
export type Answer =
  | 'ok'
  | 'hang'
  | 'drip'
  | 'flood'
  | 'deaf'
  | 'reset'
  | 'upgrade'
  | 'garbage'
  | 'babble'
  | number
  | { readonly afterMs: number }
  | { readonly rejected: number }
  | { readonly retryAfter: string; readonly status?: number }

/** One complete export. */
export interface ReceivedExport {
  /** `/v1/traces` */
  readonly path: string
  readonly headers: http.IncomingHttpHeaders
  /** As sent: possibly compressed. */
  readonly bytes: Buffer
  /** Decompressed. */
  readonly body: Buffer
  /** The CN of the exporter's certificate. */
  readonly clientName?: string
  readonly answer: Answer
}

/** One answer to all requests, or a function from the request's number, counted from 1. */
export type Answers = Answer | ((request: number) => Answer)

export interface OtlpReceiver {
  /** `http://127.0.0.1:port`, or https. */
  readonly url: string
  /** A change takes effect with the next request. */
  answer: Answers
  /** All exports so far; the list grows. */
  readonly exports: readonly ReceivedExport[]
  /** The number of requests that began, answered or not. */
  readonly requests: number
  /** The highest number of concurrent requests. */
  readonly mostAtOnce: number
  /** The first export, past or future, to `path` that `wanted` accepts. Rejects after `limitMs` (10 s). */
  next(path: string, wanted?: (received: ReceivedExport) => boolean, limitMs?: number): Promise<ReceivedExport>
  /** Resolves when `requests` requests have begun. */
  begun(requests: number): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

export interface ReceiverOptions {
  readonly answer?: Answers
  /** False discards what arrives, so that memory does not grow. Default true. */
  readonly keep?: boolean
  /** Listens with TLS. The receiver asks for client certificates and does not verify them. */
  readonly tls?: { readonly cert: string; readonly key: string }
}

/** Listens on a free port of the loopback interface. */
export async function startReceiver({ answer = 'ok', keep = true, tls }: ReceiverOptions = {}): Promise<OtlpReceiver> {
  const receiver = new Receiver(answer, keep)
  const handle: http.RequestListener = (request, response) => receiver.handle(request, response)
  const server = tls
    ? https.createServer({ ...tls, requestCert: true, rejectUnauthorized: false }, handle)
    : http.createServer(handle)
  receiver.url = `${tls ? 'https' : 'http'}://127.0.0.1:${await listenOnLoopback(server)}`
  receiver.server = server
  return receiver
}

/** How long a test waits for an export, in milliseconds. */
const LIMIT_MS = 10_000

class Receiver implements OtlpReceiver {
  url = ''
  server: http.Server | undefined
  answer: Answers
  readonly exports: ReceivedExport[] = []
  requests = 0
  mostAtOnce = 0
  readonly #keep: boolean
  #underWay = 0
  readonly #changes = new Changes()

  constructor(answer: Answers, keep: boolean) {
    this.#keep = keep
    this.answer = answer
  }

  handle(request: http.IncomingMessage, response: http.ServerResponse): void {
    this.requests += 1
    const answer = typeof this.answer === 'function' ? this.answer(this.requests) : this.answer
    this.#underWay += 1
    this.mostAtOnce = Math.max(this.mostAtOnce, this.#underWay)
    response.once('close', () => {
      this.#underWay -= 1
    })
    this.#changes.changed()
    if (answer === 'deaf') return
    const chunks: Buffer[] = []
    request.on('error', () => {})
    request.on('data', (chunk: Buffer) => this.#keep && chunks.push(chunk))
    request.on('end', () => {
      if (this.#keep) this.exports.push(received(request, Buffer.concat(chunks), answer))
      this.#changes.changed()
      respond(response, answer)
    })
  }

  next(path: string, wanted = (_: ReceivedExport) => true, limitMs = LIMIT_MS): Promise<ReceivedExport> {
    const find = () => this.exports.find((received) => received.path === path && wanted(received))
    return this.#changes.until(find, limitMs, () => `no such export arrived at ${path} within ${limitMs} ms`)
  }

  async begun(requests: number): Promise<void> {
    const failure = () => `fewer than ${requests} requests arrived within ${LIMIT_MS} ms`
    await this.#changes.until(() => this.requests >= requests || undefined, LIMIT_MS, failure)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.server?.closeAllConnections()
    await new Promise((closed) => this.server?.close(closed))
  }
}

function received(request: http.IncomingMessage, bytes: Buffer, answer: Answer): ReceivedExport {
  const { headers, url: path = '', socket } = request
  const body = headers['content-encoding'] === 'gzip' ? gunzipSync(bytes) : bytes
  const shown = 'getPeerCertificate' in socket ? (socket as TLSSocket).getPeerCertificate() : undefined
  const clientName = shown?.subject?.CN
  return { path, headers, bytes, body, answer, ...(typeof clientName === 'string' && { clientName }) }
}

function respond(response: http.ServerResponse, answer: Answer): void {
  if (typeof answer === 'number')
    return void response.writeHead(answer).end('the receiver says so: secret-of-the-receiver')
  if (typeof answer === 'object') return respondOddly(response, answer)
  switch (answer) {
    case 'ok':
      return void response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end()
    case 'drip':
      return drip(response.writeHead(200))
    case 'flood':
      return flood(response.writeHead(200))
    case 'reset':
      return void response.socket?.resetAndDestroy()
    case 'garbage':
      return void response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end(randomBytes(1000))
    case 'babble':
      return void response.socket?.end(randomBytes(1000))
    case 'upgrade':
      return void response.socket?.end('HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n')
  }
}

type OddAnswer = Extract<Answer, object>

/** The partial success is a message (field 1) with the number (field 1) in it. */
function respondOddly(response: http.ServerResponse, answer: OddAnswer): void {
  if ('afterMs' in answer) return void setTimeout(() => respond(response, 'ok'), answer.afterMs).unref()
  if ('retryAfter' in answer)
    return void response.writeHead(answer.status ?? 503, { 'retry-after': answer.retryAfter }).end()
  response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end(Buffer.from([10, 2, 8, answer.rejected]))
}

function drip(response: http.ServerResponse): void {
  const timer = setInterval(() => response.write('.'), 20)
  response.once('close', () => clearInterval(timer))
}

function flood(response: http.ServerResponse): void {
  const chunk = Buffer.alloc(64 * 1024)
  const pour = () => {
    while (!response.destroyed && response.write(chunk));
  }
  response.on('drain', pour)
  pour()
}
