/** An OTLP receiver inside the test: records what arrives over HTTP and fails in all the ways that receivers fail. */
import { randomBytes } from 'node:crypto'
import http from 'node:http'
import https from 'node:https'
import type { AddressInfo } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { gunzipSync } from 'node:zlib'

/**
 * How exports are answered. A number is an HTTP status. `hang`: read, and never answered. `drip`: an answer that goes on
 * for ever, an octet now and then. `flood`: one without end. `deaf`: not even read. `reset`: read, then cut off.
 * `upgrade`: a change to a protocol that nobody asked for. `garbage`: taken, and confirmed by octets that are no message.
 * `babble`: octets that are no HTTP. `afterMs`: taken, so much later. `rejected`: taken but for so many items (partial
 * success). `retryAfter`: refused for so many seconds, by 503 unless another status is given.
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

/** One export that was received whole. */
export interface ReceivedExport {
  /** `/v1/traces` */
  readonly path: string
  readonly headers: http.IncomingHttpHeaders
  /** As they travelled. */
  readonly bytes: Buffer
  /** Not compressed any more. */
  readonly body: Buffer
  /** The CN of the certificate that the exporter showed. */
  readonly clientName?: string
  readonly answer: Answer
}

/** One answer to all, or for each request its own; requests count from 1. */
export type Answers = Answer | ((request: number) => Answer)

export interface OtlpReceiver {
  /** `http://127.0.0.1:port`, or https. */
  readonly url: string
  /** Takes effect with the next request. */
  answer: Answers
  /** All that arrived so far; it grows. */
  readonly exports: readonly ReceivedExport[]
  /** Requests that began, answered or not. */
  readonly requests: number
  /** The most requests that were under way at a time. */
  readonly mostAtOnce: number
  /** The first export, past or future, to `path` that `wanted` accepts. Rejects after `limitMs` (10 s). */
  next(path: string, wanted?: (received: ReceivedExport) => boolean, limitMs?: number): Promise<ReceivedExport>
  /** Resolves when so many requests began. */
  begun(requests: number): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

export interface ReceiverOptions {
  readonly answer?: Answers
  /** False keeps nothing of what arrives, so that it may run for long. Default true. */
  readonly keep?: boolean
  /** Listen inside TLS; client certificates are asked for and not judged. */
  readonly tls?: { readonly cert: string; readonly key: string }
}

/** Listens on a free port of the loopback interface. */
export async function startReceiver({ answer = 'ok', keep = true, tls }: ReceiverOptions = {}): Promise<OtlpReceiver> {
  const receiver = new Receiver(answer, keep)
  const hear: http.RequestListener = (request, response) => receiver.hear(request, response)
  const server = tls
    ? https.createServer({ ...tls, requestCert: true, rejectUnauthorized: false }, hear)
    : http.createServer(hear)
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  receiver.url = `${tls ? 'https' : 'http'}://127.0.0.1:${(server.address() as AddressInfo).port}`
  receiver.server = server
  return receiver
}

class Receiver implements OtlpReceiver {
  url = ''
  server: http.Server | undefined
  answer: Answers
  readonly exports: ReceivedExport[] = []
  requests = 0
  mostAtOnce = 0
  readonly #keep: boolean
  #underWay = 0
  #waiting: (() => void)[] = []

  constructor(answer: Answers, keep: boolean) {
    this.#keep = keep
    this.answer = answer
  }

  hear(request: http.IncomingMessage, response: http.ServerResponse): void {
    this.requests += 1
    const answer = typeof this.answer === 'function' ? this.answer(this.requests) : this.answer
    this.#underWay += 1
    this.mostAtOnce = Math.max(this.mostAtOnce, this.#underWay)
    response.once('close', () => {
      this.#underWay -= 1
    })
    this.#wake()
    if (answer === 'deaf') return
    const chunks: Buffer[] = []
    request.on('error', () => {})
    request.on('data', (chunk: Buffer) => this.#keep && chunks.push(chunk))
    request.on('end', () => {
      if (this.#keep) this.exports.push(received(request, Buffer.concat(chunks), answer))
      this.#wake()
      respond(response, answer)
    })
  }

  next(path: string, wanted = (_: ReceivedExport) => true, limitMs = 10_000): Promise<ReceivedExport> {
    const find = () => this.exports.find((received) => received.path === path && wanted(received))
    return this.#until(find, limitMs, `no such export came to ${path}`)
  }

  async begun(requests: number): Promise<void> {
    await this.#until(() => this.requests >= requests || undefined, 10_000, `fewer than ${requests} requests came`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.server?.closeAllConnections()
    await new Promise((closed) => this.server?.close(closed))
  }

  #wake(): void {
    for (const look of this.#waiting.splice(0)) look()
  }

  #until<T>(find: () => T | undefined, limitMs: number, complaint: string): Promise<T> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${complaint} within ${limitMs} ms`)), limitMs)
      const look = () => {
        const found = find()
        if (found === undefined) return void this.#waiting.push(look)
        clearTimeout(timer)
        resolve(found)
      }
      look()
    })
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
