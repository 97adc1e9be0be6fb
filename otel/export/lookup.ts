import type { LookupAddress } from 'node:dns'
import { lookup } from 'node:dns/promises'
import type { LookupFunction } from 'node:net'

/** Finds all addresses of a name, or rejects with the resolver's error. */
export type Resolver = (host: string) => Promise<readonly LookupAddress[]>

/**
 * Finds addresses for exporters, one name at a time: look-ups hold threads, of which Node lends two to them, and those
 * of a silent resolver cannot be called back. Whoever asks for a name that is being looked up gets the same answer.
 * What exporters wait for here leaves a thread to mail.
 */
export function oneAtATime(ask: Resolver = (host) => lookup(host, { all: true })): LookupFunction {
  const running = new Map<string, ReturnType<Resolver>>()
  let turn: Promise<unknown> = Promise.resolve()
  const resolve = (host: string) => {
    const asked = running.get(host)
    if (asked) return asked
    const found = turn.then(() => ask(host)).finally(() => running.delete(host))
    running.set(host, found)
    turn = found.catch(() => {})
    return found
  }
  return (host, { all }, found) => {
    resolve(host).then(
      (addresses) => (all ? found(null, [...addresses]) : found(null, addresses[0]!.address, addresses[0]!.family)),
      (error: NodeJS.ErrnoException) => found(error, []),
    )
  }
}
