import type { Dial, Handover } from '../events/dial.ts'
import type { UpstreamAddress } from '../settings/config.ts'
import { type Dialer, type DialledUpstream, type DialResult, now } from './dialer.ts'

/** What a session gets: a connection, or the last upstream's failure. */
export type Reached = { readonly connection: DialledUpstream } | { readonly connection?: never; readonly failure: Dial }

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
    const { dial, connection } = await dialer.dial(server, Math.max(1, Math.floor(share)), signal)
    report(dial)
    if (connection && connection.greeting.code !== 421) {
      kept?.connection.socket.destroy()
      return handOver({ dial, connection }, report)
    }
    if (kept) connection?.socket.destroy()
    else if (connection) kept = { dial, connection }
    last = dial
    if (signal.aborted) break
  }
  return kept ? handOver(kept, report) : { failure: last! }
}

/** A refused dial does not show whether the session gets its connection, so the handover is reported. */
function handOver({ dial, connection }: Required<DialResult>, report: Report): Reached {
  if (connection.refused) report({ type: 'handover', at: now(), dial, ahead: false })
  return { connection }
}
