import { lookup } from 'node:dns/promises'
import net from 'node:net'

/** RFC 8305 5: how long one address may be tried before the next is tried beside it, in milliseconds. */
const ATTEMPT_DELAY_MS = 250

/** How long a connection may be quiet until the kernel asks whether the other side still lives, in milliseconds. */
const KEEPALIVE_MS = 60_000

const OPTIONS = { allowHalfOpen: true, noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEPALIVE_MS }

const lookups = new Map<string, Promise<string[]>>()

/**
 * All addresses of `host`, the families alternating (RFC 8305 4). Sessions that ask at the same time share one look-up,
 * so that a silent resolver ties up one thread and not all of them. Rejects with the resolver's error.
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
 * Connects to the first of `addresses` that answers: Happy Eyeballs (RFC 8305), each attempt starting when the one
 * before failed or was slow, none given up before another won. The socket carries bytes only, keeps half-closed
 * connections open and sends at once. Rejects with the last attempt's error, or with the signal's reason.
 */
export function connectAny(addresses: readonly string[], port: number, signal: AbortSignal): Promise<net.Socket> {
  return new Promise((settle, fail) => {
    const attempts = new Set<net.Socket>()
    let next = 0
    let timer: NodeJS.Timeout | undefined

    const finish = (winner: net.Socket | undefined, error?: unknown) => {
      clearTimeout(timer)
      signal.removeEventListener('abort', aborted)
      attempts.delete(winner as net.Socket)
      for (const socket of attempts) socket.destroy()
      attempts.clear()
      if (winner) settle(winner)
      else fail(error)
    }
    const aborted = () => finish(undefined, signal.reason)
    const attempt = () => {
      clearTimeout(timer)
      const address = addresses[next]
      if (address === undefined) return
      next += 1
      const socket = net.connect({ ...OPTIONS, host: address, port })
      attempts.add(socket)
      socket.once('connect', () => attempts.has(socket) && finish(socket))
      socket.on('error', (error) => {
        if (!attempts.delete(socket)) return
        if (attempts.size === 0 && next >= addresses.length) finish(undefined, error)
        else attempt()
      })
      timer = setTimeout(attempt, ATTEMPT_DELAY_MS)
    }
    if (signal.aborted) return fail(signal.reason)
    signal.addEventListener('abort', aborted, { once: true })
    attempt()
  })
}
