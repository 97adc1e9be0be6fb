import type { Dial, Handover } from '../events/dial.ts'
import type { UpstreamAddress } from '../settings/config.ts'
import { type Dialer, type DialResult, now, type UpstreamLeg } from './dialer.ts'

/** What a session gets: a leg, or the last upstream's failure. */
export type Reached = { readonly leg: UpstreamLeg } | { readonly leg?: never; readonly failure: Dial }

/** Sees each dial when it ends, and then the handover of a connection whose dial counts as failed. */
export type Report = (event: Dial | Handover) => void

/**
 * Dials the upstreams in order of preference until one answers. The next is dialled only when the one before could not be
 * had, or greeted with 421; any other greeting is the upstream's answer and the session's. The first connection that
 * greeted with 421 stays open meanwhile: its 421 is the answer when no later upstream has one. Each upstream gets its fair
 * share of the time that is left, so that a dead first upstream leaves time for the second. Never throws.
 */
export async function dialInOrder(
  dialer: Dialer,
  upstreams: readonly UpstreamAddress[],
  timeoutMs: number,
  signal: AbortSignal,
  report: Report,
): Promise<Reached> {
  const deadline = performance.now() + timeoutMs
  let last: Dial | undefined
  let kept: Required<DialResult> | undefined
  for (const [index, server] of upstreams.entries()) {
    const share = (deadline - performance.now()) / (upstreams.length - index)
    const { dial, leg } = await dialer.dial(server, Math.max(1, Math.floor(share)), signal)
    report(dial)
    if (leg && leg.greeting.code !== 421) {
      kept?.leg.socket.destroy()
      return handOver({ dial, leg }, report)
    }
    if (kept) leg?.socket.destroy()
    else if (leg) kept = { dial, leg }
    last = dial
    if (signal.aborted) break
  }
  return kept ? handOver(kept, report) : { failure: last! }
}

/** A refused dial does not show whether the session gets its connection, so the handover is reported. */
function handOver({ dial, leg }: Required<DialResult>, report: Report): Reached {
  if (leg.refused) report({ type: 'handover', at: now(), dial, ahead: false })
  return { leg }
}
