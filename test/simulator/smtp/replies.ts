/**
 * The reply texts. ahasend.com/docs/smtp documents the codes and the text of 553. The other texts are KumoMTA's
 * (kumod's smtp_server.rs), because AhaSend's documentation resembles KumoMTA's defaults. The texts of 451, 521 and 556
 * are invented: no one has published them.
 */
import type { CommandName } from '../../../proxy/events/closed-sets.ts'

/** What a reply text can contain. */
export interface ReplyFacts {
  readonly hostname: string
  /** The address of the current MAIL or RCPT. */
  readonly address: string
  /** The second word of the current command. */
  readonly argument: string
  /** The ids of the message that was just accepted, one per recipient. */
  readonly ids: readonly string[]
}

/** The capabilities in KumoMTA's order: no SIZE, no DSN, no CHUNKING. */
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

/** The usual text of a reply; undefined if smtp-server's own text is used. */
export function usualText(command: CommandName, code: number, facts: ReplyFacts): string | undefined {
  const text = USUAL[`${command} ${code}`]
  return typeof text === 'function' ? text(facts) : text
}

const FAULT_TEXTS: Readonly<Record<number, Text>> = {
  421: ({ hostname }) => `4.3.0 ${hostname} technical difficulties`,
  451: '4.3.0 Temporary server error',
  452: '4.5.3 too many recipients',
  // AhaSend quotes the user name and the account like this if a credential belongs to another domain.
  500: "authz_id 'app' is not authorized to send as tenant 'rehearsal' or from this domain",
  521: '5.3.2 Account is suspended, paused or out of credits',
  552: '5.6.0 message data must use CRLF for line endings',
  553: 'Requested action not taken: recipient domain is toxic or tempmail',
  556: '5.7.1 Account or sending domain is not configured',
}

/** The text of a fault's reply. */
export function faultText(command: CommandName, code: number, facts: ReplyFacts): string {
  if (command === 'CONNECT' && code === 421) return loadShedding(facts.hostname)
  if (command === 'AUTH' && (code === 500 || code === 535)) return usualText('AUTH', code, facts) ?? ''
  const text = FAULT_TEXTS[code] ?? `${Math.floor(code / 100)}.0.0 Simulated fault`
  return typeof text === 'function' ? text(facts) : text
}

/** The text of the 421 that replaces the greeting. */
export function loadShedding(hostname: string): string {
  return `4.3.2 ${hostname} load shedding. Try later`
}

/** The text of the unsolicited 421 before the simulator closes an idle connection. */
export function idleTooLong(hostname: string): string {
  return `4.3.2 ${hostname} idle too long`
}
