import type { UpstreamAddress } from './config.ts'
import type { Dial } from './events.ts'
import type { Dialer, DialResult, UpstreamLeg } from './upstream.ts'

/** What a session gets: a leg, or the last upstream's failure. */
export type Reached = { readonly leg: UpstreamLeg } | { readonly leg?: never; readonly failure: Dial }

/**
 * Dials the upstreams in order of preference until one answers. The next is dialled only when the one before could not be
 * had, or greeted with 421; any other greeting is the upstream's answer and the session's. Each gets its fair share of the
 * time that is left, so that a dead first upstream leaves time for the second. `report` sees each attempt. Never throws.
 */
export async function dialInOrder(
  dialer: Dialer,
  upstreams: readonly UpstreamAddress[],
  timeoutMs: number,
  signal: AbortSignal,
  report: (dial: Dial) => void,
): Promise<Reached> {
  const deadline = performance.now() + timeoutMs
  let last: DialResult | undefined
  for (const [index, server] of upstreams.entries()) {
    const share = (deadline - performance.now()) / (upstreams.length - index)
    last = await dialer.dial(server, Math.max(1, Math.floor(share)), signal)
    report(last.dial)
    if (last.leg && (last.leg.greeting.code !== 421 || index === upstreams.length - 1)) return { leg: last.leg }
    last.leg?.socket.destroy()
    if (signal.aborted) break
  }
  return { failure: last!.dial }
}
