/**
 * One session of a campaign as data: what the client writes, what the upstream replies, and the fault. Each plan
 * is played twice: directly, from the client to the upstream, and through the proxy.
 */
import type { CloseReason, CommandName } from '../../proxy/events/closed-sets.ts'
import type { LocalReply } from '../../proxy/session/local-replies.ts'

/** The two network paths of a plan. */
export type Path = 'direct' | 'proxied'

/**
 * How the client reaches the proxy. `offered`: STARTTLS is offered and not used. On the direct path this has no effect.
 */
export type ClientMode = 'plain' | 'offered' | 'starttls' | 'smtps'

/**
 * A reply of the upstream. Its text contains a stamp (`r-<session>-<id>`) that proves the origin of what a client
 * reads.
 */
export interface Reply {
  /** Unique in the plan, and in the order in which the upstream sends the replies. */
  readonly id: number
  /** The command that the reply answers, as a label value. */
  readonly command: CommandName
  readonly code: number
  readonly bytes: Buffer
  /** What a client of the proxy reads instead: an EHLO reply that the proxy changes. */
  readonly shown?: Buffer
  /** Bytes of the exchange after which the upstream replies. Default: all of them. */
  readonly after?: number
}

/** Bytes that the client writes, and the replies to them. */
export interface Exchange {
  readonly command: CommandName
  readonly bytes: Buffer
  /** On the direct path; on the proxied path only without `local`. */
  readonly replies: readonly Reply[]
  /** The proxy answers with this local reply, and the upstream never sees the exchange. */
  readonly local?: LocalReply
  /** True when the client starts TLS after the local reply. The direct path has neither. */
  readonly upgrade?: true
  /** Bytes of a message in `bytes`: the range that counts as its size. */
  readonly payload?: { readonly from: number; readonly to: number }
}

/**
 * Exchanges that the client writes without waiting for a reply in between (RFC 2920). It then reads all their replies.
 */
export type Group = readonly Exchange[]

/** The upstream disconnects at a reply: in place of it, in the middle of it, or after it. */
export interface UpstreamFault {
  readonly side: 'upstream'
  /** The `id` of the reply. */
  readonly reply: number
  readonly when: 'before' | 'within' | 'after'
  /** `half-close`: FIN, and it still reads. `close`: FIN, and it reads no more, so that the kernel answers with RST. */
  readonly how: 'half-close' | 'close' | 'reset'
  /** How long the upstream is silent before it disconnects, in milliseconds. */
  readonly stallMs: number
  /** True when the upstream disconnects only after everything written so far has arrived on both sides. */
  readonly settled: boolean
}

/** The client disconnects after some bytes of a group. */
export interface ClientFault {
  readonly side: 'client'
  /** The index of the group. */
  readonly group: number
  /** The number of bytes of the group that the client writes before it disconnects. */
  readonly bytes: number
  readonly how: 'half-close' | 'close' | 'reset'
  readonly stallMs: number
  readonly settled: boolean
  /** True when the upstream withholds its replies to the group until the client has disconnected. */
  readonly unanswered: boolean
}

export type Fault = UpstreamFault | ClientFault

export interface Plan {
  /** The 32-bit seed of this session alone. */
  readonly seed: number
  /** The number of the session in its run, from 0. */
  readonly number: number
  readonly mode: ClientMode
  readonly upstreamTls: boolean
  readonly greeting: Reply
  readonly groups: readonly Group[]
  readonly fault?: Fault
  /** Which side sends its FIN first once the dialogue is complete. */
  readonly endsFirst: 'client' | 'upstream' | 'proxy'
  /** The close reason that the proxy must report when there is no fault. */
  readonly reason: CloseReason
  /**
   * True when bytes after a command may have been its payload, and only timing decides: the proxy may stop interpreting
   * the session (`session-opaque`). It must still relay all bytes.
   */
  readonly mayBeOpaque: boolean
  /** True when a reply is sent in the middle of a body: the size that the proxy counts depends on timing. */
  readonly sizeByTiming: boolean
  /** Seeds of each side's random choices: where it splits its writes, and how long it waits. */
  readonly cuts: Readonly<Record<'client' | 'upstream', number>>
}

/** A reply, and the number of client bytes after which it is due. */
export interface Due {
  readonly reply: Reply
  readonly after: number
}

/** One group on one path. */
export interface Written {
  readonly bytes: Buffer
  /** The replies that the client waits for. */
  readonly replies: number
  readonly upgrade: boolean
}

/** A plan on one path. */
export interface Script {
  readonly groups: readonly Written[]
  readonly due: readonly Due[]
  /** All bytes that the upstream must receive, and all replies that the client must read, in order. */
  readonly up: Buffer
  readonly down: readonly Buffer[]
}

/** What both sides of a plan do on one path. */
export function scriptOf(plan: Plan, path: Path): Script {
  const due: Due[] = []
  const up: Buffer[] = []
  const down = [shownOn(plan.greeting, path)]
  let sent = 0
  for (const exchange of plan.groups.flat()) {
    down.push(...repliesTo(exchange, path))
    if (!goesUp(exchange, path)) continue
    for (const reply of exchange.replies) due.push({ reply, after: sent + (reply.after ?? exchange.bytes.length) })
    up.push(exchange.bytes)
    sent += exchange.bytes.length
  }
  return { groups: plan.groups.flatMap((group) => written(group, path)), due, up: Buffer.concat(up), down }
}

/** True when the upstream receives the exchange on this path. */
export function goesUp(exchange: Exchange, path: Path): boolean {
  return path === 'direct' ? !exchange.upgrade : !exchange.local
}

/** The replies that the client reads, one buffer each. */
export function repliesTo(exchange: Exchange, path: Path): Buffer[] {
  if (path === 'proxied' && exchange.local) return [exchange.local.bytes]
  return exchange.upgrade ? [] : exchange.replies.map((reply) => shownOn(reply, path))
}

function shownOn(reply: Reply, path: Path): Buffer {
  return (path === 'proxied' && reply.shown) || reply.bytes
}

/** True for the end of a message, which gets the final reply. */
export function isEnd(exchange: Exchange): boolean {
  return exchange.command === 'END-OF-MESSAGE' || (exchange.command === 'BDAT' && isLastChunk(exchange))
}

/** True when the line of the chunk has LAST (RFC 3030 2). */
export function isLastChunk({ bytes }: Exchange): boolean {
  return / LAST\r\n$/.test(bytes.toString('latin1', 0, bytes.indexOf(0x0a) + 1))
}

/** A group keeps its index on both paths: on the direct path an upgrade is a group without bytes. */
function written(group: Group, path: Path): Written[] {
  const upgrade = group.some((exchange) => exchange.upgrade)
  if (upgrade && path === 'direct') return [{ bytes: Buffer.alloc(0), replies: 0, upgrade: false }]
  const replies = group.reduce((sum, exchange) => sum + repliesTo(exchange, path).length, 0)
  return [{ bytes: Buffer.concat(group.map(({ bytes }) => bytes)), replies, upgrade }]
}

/** True when both paths must show the same: there is no fault, or its outcome does not depend on timing. */
export function isExact({ fault }: Plan): boolean {
  return fault === undefined || fault.settled
}

/** True when the upstream starts TLS. It does not after a refusing greeting. */
export function securesUpstream({ upstreamTls, greeting }: Plan): boolean {
  return upstreamTls && greeting.code === 220
}

/** The seed of session `number` in a run: mixed, so that runs with neighbouring seeds share no session. */
export function seedOf(run: number, number: number): number {
  let mixed = Math.imul((run ^ 0x9e3779b9) + Math.imul(number, 0x85ebca6b), 0xc2b2ae35) >>> 0
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x2c1b3c6d) >>> 0
  return (mixed ^ (mixed >>> 13)) >>> 0
}

/** The bytes of these exchanges that the upstream receives on a path. */
export function relayed(exchanges: Group, path: Path): number {
  return exchanges.reduce((sum, exchange) => sum + (goesUp(exchange, path) ? exchange.bytes.length : 0), 0)
}

/** The exchanges of a group that are complete in the first `bytes` bytes. */
export function completeExchanges(group: Group, bytes: number): Group {
  let end = 0
  return group.filter((exchange) => {
    end += exchange.bytes.length
    return end <= bytes
  })
}

/**
 * The bytes of the last, unfinished exchange that must also have arrived. Bytes of a message are relayed immediately,
 * those of a command line only when the line is complete.
 */
export function relayedOfPayload(group: Group, bytes: number): number {
  let left = bytes
  for (const exchange of group) {
    if (left < exchange.bytes.length) return exchange.payload && left > exchange.payload.from ? left : 0
    left -= exchange.bytes.length
  }
  return 0
}
