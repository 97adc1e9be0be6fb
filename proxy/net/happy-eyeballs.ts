import { lookup } from 'node:dns/promises'
import net from 'node:net'
import type { CancelSignal } from './cancellation.ts'
import { shortageOf } from './shortage.ts'

/** RFC 8305 5: how long one address is tried alone before the next attempt starts, in milliseconds. */
const ATTEMPT_DELAY_MS = 250

/** RFC 8305 5: the shortest such time, in milliseconds. */
const MIN_ATTEMPT_DELAY_MS = 10

/** Concurrent attempts. Each needs a file descriptor. Arbitrary: three of each family; hosts rarely have more addresses. */
export const MAX_ATTEMPTS = 6

/** How long a connection may be idle before the kernel sends a keepalive probe, in milliseconds. */
const KEEPALIVE_MS = 60_000

const OPTIONS = { allowHalfOpen: true, noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEPALIVE_MS }

const lookups = new Map<string, Promise<string[]>>()

/**
 * The listener of a socket that has no owner at the moment: without one, an error would end the process. All sockets share
 * it, because a closure would keep its surroundings for as long as the socket lives.
 */
export function ignoreError(): void {}

/**
 * Resolves to all addresses of `host`, with alternating families (RFC 8305 4). Concurrent sessions share one lookup, so
 * that a resolver that does not answer blocks one thread and not all of them. Rejects with the resolver's error.
 */
export function resolve(host: string): Promise<string[]> {
  if (net.isIP(host)) return Promise.resolve([host])
  const running = lookups.get(host)
  if (running) return running
  const started = lookup(host, { all: true, order: 'verbatim' })
    .then((found) => alternate(found))
    .finally(() => lookups.delete(host))
  lookups.set(host, started)
  return started
}

function alternate(found: readonly { address: string; family: number }[]): string[] {
  const first = found.filter(({ family }) => family === found[0]?.family)
  const second = found.filter(({ family }) => family !== found[0]?.family)
  return first
    .flatMap((entry, index) => [entry, ...second.slice(index, index + 1)])
    .concat(second.slice(first.length))
    .map(({ address }) => address)
}

/**
 * Connects to the first of `addresses` that answers: Happy Eyeballs (RFC 8305). The next attempt starts when the previous
 * one fails or is slow. At most six attempts run concurrently: the next one ends the oldest. The socket carries bytes
 * only, keeps half-closed connections open and sends immediately, and has `ignoreError` as its listener. Every address is tried within `timeoutMs`; `signal`
 * ends all attempts. Rejects with a shortage of this machine if there was one, otherwise with the last attempt's error or
 * the signal's reason.
 */
export function connectAny(
  addresses: readonly string[],
  port: number,
  timeoutMs: number,
  signal: CancelSignal,
): Promise<net.Socket> {
  if (signal.aborted) return Promise.reject(signal.reason)
  if (addresses.length === 0) return Promise.reject(new Error('no address to connect to'))
  return new Race(addresses, port, attemptDelay(addresses.length, timeoutMs), signal).run()
}

/** Milliseconds between two attempts: short enough that the last of many addresses gets as much time as the others. */
function attemptDelay(addresses: number, timeoutMs: number): number {
  const share = Math.floor(timeoutMs / (addresses - 1 + MAX_ATTEMPTS))
  return Math.max(MIN_ATTEMPT_DELAY_MS, Math.min(ATTEMPT_DELAY_MS, share))
}

/** The concurrent attempts to reach one of several addresses. */
class Race {
  readonly #addresses: readonly string[]
  readonly #port: number
  readonly #delayMs: number
  readonly #signal: CancelSignal
  readonly #result = Promise.withResolvers<net.Socket>()
  /** Running attempts, the oldest first. */
  readonly #attempts = new Set<net.Socket>()
  #next = 0
  /** The first shortage of this machine: it explains more than the error of a later attempt. */
  #shortage: Error | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(addresses: readonly string[], port: number, delayMs: number, signal: CancelSignal) {
    this.#addresses = addresses
    this.#port = port
    this.#delayMs = delayMs
    this.#signal = signal
  }

  run(): Promise<net.Socket> {
    this.#signal.addEventListener('abort', this.#aborted, { once: true })
    this.#attempt()
    return this.#result.promise
  }

  readonly #aborted = (): void => {
    this.#end()
    this.#result.reject(this.#signal.reason)
  }

  readonly #attempt = (): void => {
    clearTimeout(this.#timer)
    const host = this.#addresses[this.#next]
    if (host === undefined) return
    this.#next += 1
    if (this.#attempts.size === MAX_ATTEMPTS) this.#endOldest()
    const socket = net.connect({ ...OPTIONS, host, port: this.#port })
    this.#attempts.add(socket)
    socket.once('connect', () => this.#connected(socket))
    socket.on('error', (error) => this.#failed(socket, error))
    if (this.#next < this.#addresses.length) this.#timer = setTimeout(this.#attempt, this.#delayMs)
  }

  #endOldest(): void {
    for (const oldest of this.#attempts) {
      this.#attempts.delete(oldest)
      oldest.destroy()
      return
    }
  }

  /** The socket keeps nothing of the race. */
  #connected(socket: net.Socket): void {
    if (!this.#attempts.delete(socket)) return
    this.#end()
    socket.removeAllListeners('error').on('error', ignoreError)
    this.#result.resolve(socket)
  }

  #failed(socket: net.Socket, error: Error): void {
    if (!this.#attempts.delete(socket)) return
    if (shortageOf(error) !== undefined) this.#shortage ??= error
    if (this.#attempts.size > 0 || this.#next < this.#addresses.length) return this.#attempt()
    this.#end()
    this.#result.reject(this.#shortage ?? error)
  }

  #end(): void {
    clearTimeout(this.#timer)
    this.#signal.removeEventListener('abort', this.#aborted)
    for (const socket of this.#attempts) socket.destroy()
    this.#attempts.clear()
  }
}
