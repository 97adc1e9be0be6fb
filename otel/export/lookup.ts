import type { LookupAddress } from 'node:dns'
import { lookup } from 'node:dns/promises'
import type { LookupFunction } from 'node:net'

/** Resolves all addresses of a name, or rejects with the resolver's error. */
export type Resolver = (host: string) => Promise<readonly LookupAddress[]>

/**
 * Resolves names for exporters, one at a time. A lookup occupies one of the two threads that Node reserves for lookups, and
 * cannot be cancelled if the resolver does not respond. So exporters use at most one thread, and the other stays free for
 * mail. Concurrent lookups of the same name share one result.
 */
export function serialLookup(ask: Resolver = (host) => lookup(host, { all: true })): LookupFunction {
  const running = new Map<string, ReturnType<Resolver>>()
  let last: Promise<unknown> = Promise.resolve()
  const resolve = (host: string) => {
    const shared = running.get(host)
    if (shared) return shared
    const found = last.then(() => ask(host)).finally(() => running.delete(host))
    running.set(host, found)
    last = found.catch(() => {})
    return found
  }
  return (host, { all }, done) => {
    resolve(host).then(
      (addresses) => (all ? done(null, [...addresses]) : done(null, addresses[0]!.address, addresses[0]!.family)),
      (error: NodeJS.ErrnoException) => done(error, []),
    )
  }
}
