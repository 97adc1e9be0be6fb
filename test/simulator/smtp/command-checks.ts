/** The checks before a command is performed: AhaSend's documented limits, and the order of commands. */

/** Limits of one connection. The defaults are those of ahasend.com/docs/smtp. */
export interface Limits {
  /** Recipients of one transaction. */
  readonly recipients: number
  /** Bytes of one message, as sent. */
  readonly messageSize: number
  /** Transactions of one connection. */
  readonly messagesPerConnection: number
}

/** AhaSend's documented limits. */
export const AHASEND_LIMITS: Limits = { recipients: 50, messageSize: 20_971_520, messagesPerConnection: 10_000 }

/** KumoMTA's limit in bytes for a line without its CRLF (RFC 5321 section 4.5.3.1.6 allows 998 in a text line). */
const LINE_LIMIT = 998

const IMPLEMENTED = new Set(['EHLO', 'HELO', 'STARTTLS', 'AUTH', 'MAIL', 'RCPT', 'DATA', 'RSET', 'NOOP', 'QUIT'])
const BEFORE_TLS = new Set(['EHLO', 'HELO', 'STARTTLS', 'RSET', 'NOOP', 'QUIT'])
const NEED_EHLO = new Set(['AUTH', 'MAIL', 'RCPT', 'DATA'])
const NEED_AUTH = new Set(['MAIL', 'RCPT', 'DATA'])

/** What the checks depend on. */
export interface CommandFacts {
  /** First word of the line, in upper case. */
  readonly verb: string
  /** Bytes of the line. */
  readonly length: number
  /** The greeting was a 5yz code. After it, a client may only send QUIT (RFC 5321 section 3.1). */
  readonly greetingRefused: boolean
  readonly tlsMissing: boolean
  readonly tlsOffered: boolean
  readonly ehloMissing: boolean
  readonly authMissing: boolean
  /** Transactions begun on this connection. */
  readonly messages: number
  /** Recipients accepted in this transaction. */
  readonly recipients: number
  readonly limits: Limits
}

/** The code and text of a refusal. */
export type Refusal = readonly [code: number, text: string]

/** The refusal of a command; undefined if the command passes all checks. */
export function refusalOf(facts: CommandFacts): Refusal | undefined {
  const { verb, limits } = facts
  if (facts.greetingRefused && verb !== 'QUIT') return [503, '5.5.1 No service here']
  if (facts.length > LINE_LIMIT) return [500, '5.2.3 line too long']
  if (!IMPLEMENTED.has(verb) || (verb === 'STARTTLS' && !facts.tlsOffered)) return [502, '5.5.1 Command unimplemented']
  // RFC 3207 section 4.
  if (facts.tlsMissing && !BEFORE_TLS.has(verb)) return [530, '5.7.0 Must issue a STARTTLS command first']
  if (facts.ehloMissing && NEED_EHLO.has(verb)) return [503, '5.5.1 Send EHLO first']
  if (facts.authMissing && NEED_AUTH.has(verb)) return [530, '5.7.0 Authentication required']
  // AhaSend documents transient failures for further MAIL commands. This is the code that KumoMTA sends at RCPT.
  if (verb === 'MAIL' && facts.messages >= limits.messagesPerConnection) {
    return [452, '4.5.3 too many recipients on this connection']
  }
  if (verb === 'RCPT' && facts.recipients >= limits.recipients) return [452, '4.5.3 too many recipients']
  return undefined
}
