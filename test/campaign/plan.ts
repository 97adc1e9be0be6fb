/**
 * One session of a campaign as data: what the client writes, what the upstream replies, and what goes wrong. The same
 * plan is played twice: directly, from the client to the upstream, and through the proxy.
 */
import type { CloseReason, CommandName } from '../../proxy/events/closed-sets.ts'
import type { LocalReply } from '../../proxy/session/local-replies.ts'

/** The two network paths of a plan. */
export type Way = 'direct' | 'proxied'

/** How the client reaches the proxy. `offered`: STARTTLS is offered and not used. On the direct path this has no effect. */
export type ClientMode = 'plain' | 'offered' | 'starttls' | 'smtps'

/** A reply of the upstream. Its text holds a stamp (`r-<session>-<id>`), so that a client's reply proves its origin. */
export interface Reply {
  /** Unique in the plan, and in the order in which the upstream sends the replies. */
  readonly id: number
  /** What the reply answers, in the words of the metrics. */
  readonly command: CommandName
  readonly code: number
  readonly bytes: Buffer
  /** What a client of the proxy reads instead: an EHLO reply that the proxy changes. */
  readonly shown?: Buffer
  /** Bytes of the exchange after which the upstream replies. Default: all of them. */
  readonly after?: number
}

/** Something the client writes, and the replies to it. */
export interface Exchange {
  readonly command: CommandName
  readonly bytes: Buffer
  /** On the direct path; on the proxied path only without `local`. */
  readonly replies: readonly Reply[]
  /** The proxy answers with this local reply, and the upstream never sees the exchange. */
  readonly local?: LocalReply
  /** The client enters TLS after the local reply. Both do not exist on the direct path. */
  readonly upgrade?: true
  /** Bytes of a message in `bytes`: the range that counts as its size. */
  readonly payload?: { readonly from: number; readonly to: number }
}

/** Exchanges that the client writes without waiting for a reply in between (RFC 2920). It then reads all their replies. */
export type Group = readonly Exchange[]

/** The upstream leaves at a reply: in place of it, in the middle of it, or after it. */
export interface UpstreamFault {
  readonly side: 'upstream'
  /** The `id` of the reply. */
  readonly reply: number
  readonly when: 'before' | 'within' | 'after'
  /** `half-close`: FIN, and it reads on. `close`: FIN, and it reads no more, so that the kernel answers by RST. */
  readonly how: 'half-close' | 'close' | 'reset'
  /** How long the upstream is silent before it leaves, in milliseconds. */
  readonly stallMs: number
  /** The upstream leaves only when everything written so far has arrived on both sides. */
  readonly settled: boolean
}

/** The client leaves after some bytes of a group. */
export interface ClientFault {
  readonly side: 'client'
  /** The index of the group. */
  readonly group: number
  /** Bytes of the group that the client writes before it leaves. */
  readonly bytes: number
  readonly how: 'half-close' | 'close' | 'reset'
  readonly stallMs: number
  readonly settled: boolean
  /** The upstream withholds its replies to the group until the client has left. */
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
  /** Which side sends its FIN first once everything has been said. */
  readonly endsFirst: 'client' | 'upstream' | 'proxy'
  /** The close reason that the proxy must report when there is no fault. */
  readonly reason: CloseReason
  /**
   * True when what follows a command may have been its payload, which the proxy can find out only by timing: it may
   * stop interpreting the session (`session-opaque`). Bytes must still be right.
   */
  readonly mayBeOpaque: boolean
  /** True when a reply comes in the middle of a body: the size that the proxy counts depends on timing. */
  readonly sizeByTiming: boolean
  /** Seeds of the random choices of each side: where it cuts what it writes, and how long it waits. */
  readonly cuts: Readonly<Record<'client' | 'upstream', number>>
}

/** A reply and when it is due: once so many bytes of the client have arrived at the upstream. */
export interface Due {
  readonly reply: Reply
  readonly after: number
}

/** What one group is on one path. */
export interface Written {
  readonly bytes: Buffer
  /** Replies that the client waits for. */
  readonly replies: number
  readonly upgrade: boolean
}

/** A plan on one path. */
export interface Script {
  readonly groups: readonly Written[]
  readonly due: readonly Due[]
  /** All that the upstream must receive, and all replies that the client must read, in order. */
  readonly up: Buffer
  readonly down: readonly Buffer[]
}

export function scriptOf(plan: Plan, way: Way): Script {
  const due: Due[] = []
  const up: Buffer[] = []
  const down = [shownOn(plan.greeting, way)]
  let sent = 0
  for (const exchange of plan.groups.flat()) {
    down.push(...repliesTo(exchange, way))
    if (!goesUp(exchange, way)) continue
    for (const reply of exchange.replies) due.push({ reply, after: sent + (reply.after ?? exchange.bytes.length) })
    up.push(exchange.bytes)
    sent += exchange.bytes.length
  }
  return { groups: plan.groups.flatMap((group) => written(group, way)), due, up: Buffer.concat(up), down }
}

/** True when the upstream receives the exchange on this path. */
export function goesUp(exchange: Exchange, way: Way): boolean {
  return way === 'direct' ? !exchange.upgrade : !exchange.local
}

/** What the client reads in answer, a buffer for each reply. */
export function repliesTo(exchange: Exchange, way: Way): Buffer[] {
  if (way === 'proxied' && exchange.local) return [exchange.local.bytes]
  return exchange.upgrade ? [] : exchange.replies.map((reply) => shownOn(reply, way))
}

function shownOn(reply: Reply, way: Way): Buffer {
  return (way === 'proxied' && reply.shown) || reply.bytes
}

/** True for the end of a message: its reply is the verdict. */
export function isEnd(exchange: Exchange): boolean {
  return exchange.command === 'END-OF-MESSAGE' || (exchange.command === 'BDAT' && isLastChunk(exchange))
}

/** RFC 3030 2: the line of the chunk says LAST. */
export function isLastChunk({ bytes }: Exchange): boolean {
  return / LAST\r\n$/.test(bytes.toString('latin1', 0, bytes.indexOf(0x0a) + 1))
}

/** A group keeps its index on both paths: on the direct path an upgrade is a group without bytes. */
function written(group: Group, way: Way): Written[] {
  const upgrade = group.some((exchange) => exchange.upgrade)
  if (upgrade && way === 'direct') return [{ bytes: Buffer.alloc(0), replies: 0, upgrade: false }]
  const replies = group.reduce((sum, exchange) => sum + repliesTo(exchange, way).length, 0)
  return [{ bytes: Buffer.concat(group.map(({ bytes }) => bytes)), replies, upgrade }]
}

/** Without a fault, or with one whose outcome does not depend on timing: both paths must show the same. */
export function isExact({ fault }: Plan): boolean {
  return fault === undefined || fault.settled
}

/** True when the upstream enters TLS: a refused greeting is followed by none. */
export function securesUpstream({ upstreamTls, greeting }: Plan): boolean {
  return upstreamTls && greeting.code === 220
}

/** The seed of session `number` in a run: mixed, so that runs with neighbouring seeds share no session. */
export function seedOf(run: number, number: number): number {
  let mixed = Math.imul((run ^ 0x9e3779b9) + Math.imul(number, 0x85ebca6b), 0xc2b2ae35) >>> 0
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x2c1b3c6d) >>> 0
  return (mixed ^ (mixed >>> 13)) >>> 0
}

/** Bytes of these exchanges that go up on a path. */
export function relayed(exchanges: Group, way: Way): number {
  return exchanges.reduce((sum, exchange) => sum + (goesUp(exchange, way) ? exchange.bytes.length : 0), 0)
}

/** The exchanges of a group that the first `bytes` bytes hold whole. */
export function wholeExchanges(group: Group, bytes: number): Group {
  let end = 0
  return group.filter((exchange) => {
    end += exchange.bytes.length
    return end <= bytes
  })
}

/**
 * Bytes of the last, unfinished exchange that must have arrived too: those of a message are relayed as they come, those of
 * a command line only when the line is whole.
 */
export function relayedOfPayload(group: Group, bytes: number): number {
  let left = bytes
  for (const exchange of group) {
    if (left < exchange.bytes.length) return exchange.payload && left > exchange.payload.from ? left : 0
    left -= exchange.bytes.length
  }
  return 0
}
