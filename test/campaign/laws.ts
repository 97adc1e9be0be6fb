/**
 * The laws, checked on the bytes themselves and not on the plan:
 *
 * L1 a client reads a 2yz to the end of a message only if the upstream sent it, with the same stamp;
 * L2 a 2yz that the upstream sent and the client did not read is due to a fault, and the proxy counts it once;
 * L3 no message arrives more often than it was sent; L4 the upstream receives no end that the client did not write;
 * L5 every complete message has the hash of the message that was sent;
 * L6 every refusal that a client reads was sent by the upstream, or is a local reply that is due at this place.
 */
import { createHash } from 'node:crypto'
import type { CommandName } from '../../proxy/events/closed-sets.ts'
import type { SessionEvent } from '../../proxy/events/session-event.ts'
import { LOCAL_REPLIES } from '../support/in-process/local-replies.ts'
import { isUnreachable } from './compare.ts'
import { type Exchange, goesUp, isEnd, isExact, type Plan } from './plan.ts'
import { quoted } from './plan-text.ts'
import type { Run } from './play.ts'
import { codeOf, completeReplies, stampOf } from './reply-bytes.ts'

const LOCAL = new Set(Object.values(LOCAL_REPLIES).map(({ bytes }) => bytes.toString('latin1')))

/** The violations of laws in a proxied run, one line each. */
export function brokenLaws(plan: Plan, run: Run): string[] {
  return [...provenance(plan, run), ...messages(plan, run), ...counted(plan, run)]
}

/** L1 and L6: each reply has the stamp of the next one that the upstream sent, or is a local reply of the plan. */
function provenance(plan: Plan, { down, sent }: Run): string[] {
  const due = isUnreachable(plan)
    ? [LOCAL_REPLIES.UNREACHABLE]
    : plan.groups.flat().flatMap((exchange) => exchange.local ?? [])
  const local = due.map(({ bytes }) => bytes.toString('latin1'))
  let next = 0
  for (const reply of completeReplies(down).replies) {
    const text = reply.toString('latin1')
    const stamp = stampOf(reply)
    if (stamp === undefined) {
      if (!LOCAL.has(text) || local.shift() !== text)
        return [`L6: the upstream did not send this reply, and it is not due: ${quoted(reply)}`]
      continue
    }
    const from = sent[next]
    if (from === undefined || stampOf(from.bytes) !== stamp || from.code !== codeOf(reply)) {
      return [`L1, L6: the upstream did not send this reply here: ${quoted(reply)}, but ${from && quoted(from.bytes)}`]
    }
    next += 1
  }
  return []
}

/** L3, L4 and L5: no more bytes arrived than were written, and every answered message arrived completely. */
function messages(plan: Plan, { up, sent, written }: Run): string[] {
  const answered = new Set(sent.map(({ id }) => id))
  const broken: string[] = []
  let [at, writtenUp, left] = [0, 0, written]
  for (const exchange of plan.groups.flat()) {
    const size = exchange.bytes.length
    const begun = Math.min(size, left)
    left -= begun
    if (!goesUp(exchange, 'proxied')) continue
    writtenUp += begun
    if (exchange.replies.some((reply) => answered.has(reply.id)) && !arrived(exchange, up.subarray(at, at + size))) {
      broken.push(`L5: the message from byte ${at} was answered, but arrived with another hash`)
    }
    at += size
  }
  if (up.length > writtenUp) broken.push(`L3, L4: ${up.length} bytes arrived, of ${writtenUp} that were written`)
  return broken
}

/** A message that was refused before its end need not have arrived. */
function arrived({ payload, bytes, replies }: Exchange, received: Buffer): boolean {
  if (!payload || replies.some(({ after }) => after !== undefined)) return true
  return sha256(received.subarray(payload.from, payload.to)) === sha256(bytes.subarray(payload.from, payload.to))
}

/** L2. With a fault whose timing is open, the proxy may have sent the reply to a client that had just disconnected. */
function counted(plan: Plan, { down, sent, events }: Run): string[] {
  const read = new Set(completeReplies(down).replies.map(stampOf))
  const verdicts = plan.groups.flat().flatMap((exchange) => (isEnd(exchange) ? exchange.replies : []))
  const unread = sent.filter((reply) => verdicts.includes(reply) && reply.code < 300 && !read.has(stampOf(reply.bytes)))
  if (unread.length > 0 && plan.fault === undefined) return ['L2: an acceptance was not read, without a fault']
  if (isAbandoned(plan) && !verdicts.some((reply) => sent.includes(reply))) {
    return ['L2: the upstream could not send the verdict: its connection ended with the client that had gone']
  }
  const uncertain = uncertainMessages(events)
  const least = isExact(plan) && plan.fault?.side === 'client' && plan.fault.how === 'reset' ? unread.length : 0
  if (uncertain < least) return [`L2: ${unread.length} acceptances were not read, ${uncertain} were counted`]
  return uncertain > 1 ? [`L2: ${uncertain} messages were counted as uncertain in one session`] : []
}

/** The client resets the connection after the end of its last message: the proxy must still read the final reply. */
function isAbandoned(plan: Plan): boolean {
  const { fault, groups, mayBeOpaque } = plan
  // in an opaque session, the proxy does not know that a final reply is due
  if (mayBeOpaque || fault?.side !== 'client' || fault.how !== 'reset' || !fault.settled || !fault.unanswered)
    return false
  // after an unanswered DATA, the proxy cannot know that the next bytes are a message
  const group = groups[fault.group]!
  return group.some(isEnd) && !group.some(({ command }) => command === 'DATA')
}

/** Messages in doubt, and those whose final reply was not delivered. The chunks of one BDAT message count once. */
function uncertainMessages(events: readonly SessionEvent[]): number {
  const undelivered = (command: CommandName) =>
    events.filter((event) => event.type === 'reply-lost' && event.loss === 'undelivered' && event.command === command)
  const inDoubt = events.filter((event) => event.type === 'tx-lost' && event.outcome === 'in_doubt').length
  return inDoubt + undelivered('END-OF-MESSAGE').length + Math.min(1, undelivered('BDAT').length)
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}
