/**
 * What the simulator says. Codes and the texts of 553 are documented at ahasend.com/docs/smtp. The other wordings are
 * KumoMTA's (kumod's smtp_server.rs), whose defaults AhaSend's documents resemble; those of 451, 521 and 556 are made up,
 * because nobody has published them.
 */
import type { CommandName } from '../../../proxy/events/closed-sets.ts'

/** What a text may speak of. */
export interface ReplyFacts {
  readonly hostname: string
  /** The current MAIL's or RCPT's address. */
  readonly address: string
  /** The second word of the current command. */
  readonly argument: string
  /** The ids of the message that was just accepted, one a recipient. */
  readonly ids: readonly string[]
}

/** The capabilities in the order in which KumoMTA lists them: no SIZE, no DSN, no CHUNKING. */
export function capabilities(offer: { readonly starttls: boolean; readonly auth: boolean }): readonly string[] {
  return [
    'PIPELINING',
    'ENHANCEDSTATUSCODES',
    '8BITMIME',
    'SMTPUTF8',
    ...(offer.starttls ? ['STARTTLS'] : []),
    ...(offer.auth ? ['AUTH PLAIN'] : []),
  ]
}

type Text = string | ((facts: ReplyFacts) => string)

const USUAL: Readonly<Record<string, Text>> = {
  'EHLO 250': ({ hostname, argument }) => `${hostname} Aloha ${argument}`,
  'HELO 250': ({ argument }) => `Hello ${argument}!`,
  'STARTTLS 220': 'Ready to Start TLS',
  'AUTH 235': '2.7.0 AUTH OK!',
  'AUTH 500': '5.7.8 AUTH invalid',
  'AUTH 535': '5.7.8 AUTH invalid',
  'AUTH 503': "5.5.1 AUTH me once, can't get authed again!",
  'AUTH 504': ({ argument }) => `5.5.4 AUTH ${argument} not supported`,
  'MAIL 250': ({ address }) => `OK EnvelopeAddress("${address}")`,
  'MAIL 501': '5.1.7 Invalid sender address syntax',
  'MAIL 503': '5.5.0 MAIL FROM already issued; you must RSET first',
  'RCPT 250': ({ address }) => `OK EnvelopeAddress("${address}")`,
  'RCPT 501': '5.1.3 Invalid recipient address syntax',
  'RCPT 503': '5.5.0 MAIL FROM must be issued first',
  'DATA 354': 'Send body; end with CRLF.CRLF',
  'END-OF-MESSAGE 250': ({ ids }) => `OK ids=${ids.join(' ')}`,
  'RSET 250': 'Reset state',
  'NOOP 250': 'the goggles do nothing',
  'QUIT 221': 'So long, and thanks for all the fish!',
}

/** The usual text of a reply; undefined where smtp-server's own words stand. */
export function usualText(command: CommandName, code: number, facts: ReplyFacts): string | undefined {
  const text = USUAL[`${command} ${code}`]
  return typeof text === 'function' ? text(facts) : text
}

const WHEN_FAULTY: Readonly<Record<number, Text>> = {
  421: ({ hostname }) => `4.3.0 ${hostname} technical difficulties`,
  451: '4.3.0 Temporary server error',
  452: '4.5.3 too many recipients',
  // Quotes the user name and the account, as AhaSend does for a credential that belongs to another domain.
  500: "authz_id 'app' is not authorized to send as tenant 'rehearsal' or from this domain",
  521: '5.3.2 Account is suspended, paused or out of credits',
  552: '5.6.0 message data must use CRLF for line endings',
  553: 'Requested action not taken: recipient domain is toxic or tempmail',
  556: '5.7.1 Account or sending domain is not configured',
}

/** The text of a reply that a fault asks for. */
export function faultText(command: CommandName, code: number, facts: ReplyFacts): string {
  if (command === 'CONNECT' && code === 421) return loadShedding(facts.hostname)
  if (command === 'AUTH' && (code === 500 || code === 535)) return usualText('AUTH', code, facts) ?? ''
  const text = WHEN_FAULTY[code] ?? `${Math.floor(code / 100)}.0.0 As asked`
  return typeof text === 'function' ? text(facts) : text
}

/** Said in place of the greeting. */
export function loadShedding(hostname: string): string {
  return `4.3.2 ${hostname} load shedding. Try later`
}

/** Said unasked, before the connection is closed for want of data. */
export function idleTooLong(hostname: string): string {
  return `4.3.2 ${hostname} idle too long`
}
