/**
 * The books of a session: the counts that the upstream's ledger requires, and the counts of the proxy's events. Where
 * timing decides what the proxy still received, the ledger is only a bound, and the page must agree with the events.
 */
import type { SessionEvent } from '../../proxy/events/session-event.ts'
import { type Book, newBook, type Page } from '../support/books/book.ts'
import { bookOfLedger } from './ledger.ts'
import { isExact, type Plan } from './plan.ts'
import type { Run } from './play.ts'

/** The labels that the ledger, the events and the page all know. */
const LABELS: Readonly<Partial<Record<Page, readonly string[]>>> = {
  replies: ['command', 'code', 'origin'],
  repliesLost: ['loss'],
  transactions: ['outcome', 'error'],
  recipients: ['verdict'],
  bodies: ['outcome'],
  bytesOfBodies: ['outcome'],
  sessions: ['reason'],
  mails: [],
  dials: ['ready'],
  bytes: ['direction'],
}

const PAGES = Object.keys(LABELS) as Page[]

/** A page of a book as comparable text. */
export function figures(book: Book, page: Page): Readonly<Record<string, number>> {
  return book[page].by(LABELS[page] ?? [])
}

/** Adds the counts of `from` to `to`. */
export function addTo(to: Book, from: Book): void {
  for (const page of PAGES) {
    const labels = LABELS[page]!
    for (const [key, count] of Object.entries(figures(from, page))) {
      const values = key.split(' ')
      to[page].add(
        Object.fromEntries(labels.map((label, index) => [label, values[index] === '-' ? '' : values[index]])),
        count,
      )
    }
  }
}

/** Lines that name each figure in which two books differ. */
export function disagreements(what: string, book: Book, expected: Book, pages: readonly Page[] = PAGES): string[] {
  return pages.flatMap((page) => {
    const [here, there] = [figures(book, page), figures(expected, page)]
    const keys = [...new Set([...Object.keys(here), ...Object.keys(there)])].filter((key) => here[key] !== there[key])
    return keys.map((key) => `${what}: ${page} ${key || 'in total'}: ${here[key] ?? 0}, expected ${there[key] ?? 0}`)
  })
}

/** The book of the proxy's events. */
export function bookOfEvents(events: readonly SessionEvent[]): Book {
  const book = newBook()
  for (const event of events) addEvent(book, event)
  return book
}

function addEvent(book: Book, event: SessionEvent): void {
  switch (event.type) {
    case 'dial':
      return book.dials.add({ ready: event.error ? 'no' : 'yes' })
    case 'greeting':
    case 'exchange': {
      const command = event.type === 'greeting' ? 'CONNECT' : event.command
      return book.replies.add({ command, code: event.reply.code, origin: event.reply.origin })
    }
    case 'reply-lost':
      return book.repliesLost.add({ loss: event.loss })
    case 'tx-rcpt':
      return book.recipients.add({ verdict: event.verdict })
    case 'tx-commit':
    case 'tx-rollback':
    case 'tx-reset':
    case 'tx-lost': {
      const { outcome, error } = event
      book.transactions.add({ outcome, error })
      if (event.hasBody) book.bodies.add({ outcome })
      return event.hasBody ? book.bytesOfBodies.add({ outcome }, event.size) : undefined
    }
    case 'session-close':
      book.sessions.add({ reason: event.reason })
      book.mails.add({}, event.messages)
      book.bytes.add({ direction: 'transmit' }, event.transmit)
      return book.bytes.add({ direction: 'receive' }, event.receive)
    default:
  }
}

/** The differences between a session's events and the ledger of its upstream. */
export function wrongBooks(plan: Plan, run: Run): string[] {
  const events = bookOfEvents(run.events)
  const opaque = run.events.some(({ type }) => type === 'session-opaque')
  if (opaque && !plan.mayBeOpaque) return ['the proxy stopped interpreting the session (session-opaque)']
  if (!isExact(plan) || plan.mayBeOpaque) return [...notHeard(plan, run), ...endedOnce(run.events)]
  const expected = bookOfLedger(plan, run)
  const pages = PAGES.filter((page) => !(page === 'bytesOfBodies' && plan.sizeByTiming))
  return [...disagreements('events and ledger', events, expected, pages), ...endedOnce(run.events)]
}

/** The proxy must count the upstream's replies in the order in which they were sent, and no others. */
function notHeard(plan: Plan, { sent, events }: Run): string[] {
  const counted = events.flatMap((event) => {
    if (event.type !== 'exchange' && event.type !== 'greeting') return []
    return event.reply.origin === 'upstream' ? [event.reply.code] : []
  })
  const codes = sent.map(({ code }) => code)
  const wrong = counted.findIndex((code, index) => code !== codes[index])
  if (wrong >= 0) return [`the proxy counted reply ${wrong} as ${counted[wrong]}, the upstream sent ${codes[wrong]}`]
  const all = plan.fault === undefined ? codes.length : 0
  return counted.length < all ? [`the proxy counted ${counted.length} of ${all} replies`] : []
}

function endedOnce(events: readonly SessionEvent[]): string[] {
  const begun = events.filter(({ type }) => type === 'tx-begin').length
  const ended = events.filter(({ type }) => /^tx-(commit|rollback|reset|lost)$/.test(type)).length
  return begun === ended ? [] : [`${begun} messages began, ${ended} ended`]
}
