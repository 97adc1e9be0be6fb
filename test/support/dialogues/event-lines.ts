/**
 * Events as text, one per line, for the `.events` files next to the dialogues. A line contains everything that follows
 * from the protocol. Times appear only as line numbers of the script (`@9-12`: command in line 9, reply in line 12),
 * which only the pure rig knows.
 */

import type { ReplyFacts } from '../../../proxy/events/reply.ts'
import type { SessionEvent } from '../../../proxy/events/session-event.ts'
import type { MessageHeaders, TransactionEnd } from '../../../proxy/events/transaction.ts'

/** Events that differ between runs: which client connected, and how the proxy reached the upstream. */
const LEFT_OUT: ReadonlySet<SessionEvent['type']> = new Set(['session-open', 'dial'])

/** Events that only the relay reports, and never a `Dialogue` alone. */
const RELAY_ONLY: ReadonlySet<string> = new Set<SessionEvent['type']>([
  'capabilities',
  'handover',
  'tls',
  'tls-failed',
  'reply-lost',
  'session-close',
])

/** Returns one line per event, without times. */
export function linesOf(events: readonly SessionEvent[]): string[] {
  return events.filter((event) => !LEFT_OUT.has(event.type)).map(lineOf)
}

/** Returns one line per event, followed by its line numbers. The times of the events must be line numbers. */
export function timedLinesOf(events: readonly SessionEvent[]): string[] {
  return events.filter((event) => !LEFT_OUT.has(event.type)).map((event) => `${lineOf(event)} @${spanOf(event)}`)
}

/** Removes the line numbers from a line of a golden. */
export function withoutTime(line: string): string {
  return line.replace(/ @\d+(-\d+)?$/, '')
}

/** True if a `Dialogue` alone reports this line of a golden, without a relay. */
export function isDialogueLine(line: string): boolean {
  return !RELAY_ONLY.has(line.split(' ', 1)[0]!)
}

function spanOf(event: SessionEvent): string {
  return 'end' in event ? `${event.at}-${event.end}` : `${event.at}`
}

function lineOf(event: SessionEvent): string {
  switch (event.type) {
    case 'session-open':
    case 'dial':
    case 'tls':
    case 'early-talk':
    case 'tx-data':
      return event.type
    case 'greeting':
      return `greeting ${replyOf(event.reply)}`
    case 'identify':
      return `identify ${event.command}`
    case 'capabilities':
      return `capabilities removed=[${event.removed}] added=[${event.added}]`
    case 'tls-failed':
      return `tls-failed ${event.error}`
    case 'auth':
      return `auth ${event.mechanism} ${replyOf(event.reply)}`
    case 'exchange':
      return `exchange ${event.command} ${replyOf(event.reply)}`
    case 'handover':
      return `handover ${event.dial.serverAddress}`
    case 'tx-begin':
      return `tx-begin ${event.reply === undefined ? 'unanswered' : replyOf(event.reply)}${pathOf('from', event.sender)}`
    case 'tx-rcpt':
      return `tx-rcpt ${event.verdict} ${replyOf(event.reply)}${pathOf('to', event.recipient)}`
    case 'tx-lost':
      return `tx-lost ${event.stage} ${endOf(event)}${event.unanswered ? ` unanswered=${event.unanswered.command}` : ''}`
    case 'tx-commit':
    case 'tx-rollback':
    case 'tx-reset':
      return `${event.type} ${endOf(event)}`
    case 'reply-lost':
      return `reply-lost ${event.loss} ${event.command}`
    case 'session-opaque':
      return `session-opaque ${event.reason}`
    case 'session-close':
      return `session-close by=${event.by} ${event.reason} up=${event.transmit} down=${event.receive} messages=${event.messages}`
  }
}

/** The order in which headers are printed, independent of their order in the message. */
const ORDER = ['traceparent', 'tracestate', 'sandbox', 'tags', 'messageId'] satisfies (keyof MessageHeaders)[]

/** An empty path (`<>`) is printed; an absent one is not. */
function pathOf(word: string, address: string | undefined): string {
  return address === undefined ? '' : ` ${word}=<${address}>`
}

function endOf(end: TransactionEnd): string {
  const { accepted, tempfail, permfail } = end.recipients
  return [
    end.outcome,
    end.error === undefined ? '' : `error=${end.error}`,
    end.command === undefined ? '' : `by ${end.command}`,
    end.reply === undefined ? '' : replyOf(end.reply),
    end.hasBody ? `size=${end.size}` : end.size === 0 ? 'no-body' : `no-body-but-size=${end.size}`,
    `recipients=${accepted}/${tempfail}/${permfail}`,
    end.headers === undefined ? '' : `headers=${JSON.stringify(end.headers, ORDER)}`,
  ]
    .filter((part) => part !== '')
    .join(' ')
}

function replyOf(reply: ReplyFacts): string {
  return [
    reply.code,
    reply.enhancedCode ?? '-',
    reply.cause === 'none' ? '' : reply.cause,
    reply.origin === 'proxy' ? 'from-proxy' : '',
    reply.ids === undefined ? '' : `ids=${reply.ids}`,
  ]
    .filter((part) => part !== '')
    .join(' ')
}
