import type { Dial, Handover } from '../events/dial.ts'
import type { CancelSignal } from '../net/cancellation.ts'
import type { UpstreamAddress } from '../settings/config.ts'
import { type Dialer, type DialledUpstream, type DialResult, now } from './dialer.ts'

/** The result for a session: a connection, or the last upstream's failure. */
export type Reached = { readonly connection: DialledUpstream } | { readonly connection?: never; readonly failure: Dial }

/** Gets each dial when it ends, and then the handover of a connection whose dial counts as failed. */
type Report = (event: Dial | Handover) => void

/**
 * Dials the upstreams in order of preference until one accepts the session. Dials the next one only if the previous one
 * failed or greeted with 421; the session gets any other greeting. The first connection that greeted with 421 stays open
 * meanwhile: if all later upstreams fail as well, the session gets that 421. Each upstream gets an equal share of the
 * remaining time, so that a dead first upstream leaves time for the second. Never throws.
 */
export async function dialInOrder(
  dialer: Dialer,
  upstreams: readonly UpstreamAddress[],
  timeoutMs: number,
  signal: CancelSignal,
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

/** Reports the handover of a refused connection, because its dial does not show whether a session got it. */
function handOver({ dial, connection }: Required<DialResult>, report: Report): Reached {
  if (connection.refused) report({ type: 'handover', at: now(), dial, preconnected: false })
  return { connection }
}
