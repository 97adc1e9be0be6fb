import type { Ledger } from '../../simulator/ledger.ts'
import { type Book, classOf, newBook } from './book.ts'

/**
 * The book of the simulated AhaSend. It knows its own replies, but not local replies, the sizes of incomplete bodies or
 * the clients' names. Before TLS it talks to the proxy itself, except for the greeting and a refusal, which the proxy
 * relays.
 */
export function bookOfLedger(ledger: Ledger): Book {
  const book = newBook()
  const greetings = new Map(
    ledger.replies.filter(({ command }) => command === 'CONNECT').map((reply) => [reply.session, reply]),
  )
  const refused = (session: number) => (greetings.get(session)?.code ?? 0) >= 400
  for (const { session, tls, received, sent } of ledger.sessions) {
    book.dials.add({ ready: tls ? 'yes' : 'no' })
    if (!tls && !refused(session)) continue
    const { code, text } = greetings.get(session) ?? {}
    book.bytes.add({ direction: 'transmit' }, tls ? received.tls : received.clear)
    const greeting = tls ? Buffer.byteLength(`${code} ${text}\r\n`) : sent.clear
    book.bytes.add({ direction: 'receive' }, sent.tls + greeting)
  }
  const secured = new Set(ledger.sessions.filter(({ tls }) => tls).map(({ session }) => session))
  for (const { session, command, code, tls } of ledger.replies) {
    const relayed = tls || refused(session) || (command === 'CONNECT' && secured.has(session))
    if (!relayed) continue
    book.replies.add({ command, code, origin: 'upstream' })
    // with a 503 there is no message that the recipient could belong to
    if (command === 'RCPT' && code !== 503) book.recipients.add({ verdict: classOf(code) })
    if (command === 'MAIL' && code === 250) book.mails.add({})
  }
  for (const { session, command, tls } of ledger.commands) if (tls || refused(session)) book.commands.add({ command })
  addMessages(book, ledger)
  return book
}

function addMessages(book: Book, ledger: Ledger): void {
  for (const { code, size } of ledger.messages) {
    const outcome = code === undefined ? 'in_doubt' : classOf(code)
    book.transactions.add({ outcome, error: outcome === 'accepted' ? undefined : (code ?? 'upstream_lost') })
    book.bodies.add({ outcome })
    book.bytesOfBodies.add({ outcome }, size)
  }
  const { messages, cutReplies } = ledger.summary()
  book.bodies.add({ outcome: 'aborted' }, messages.aborted)
  book.repliesLost.add({ loss: 'incomplete' }, cutReplies)
}
