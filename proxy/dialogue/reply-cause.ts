import type { CommandName, ReplyCause } from '../events/closed-sets.ts'

/**
 * What AhaSend means by a reply. Its codes differ from the RFCs: 521 is a disabled or paused account, 552 a message in the
 * wrong format or too big, and 421 has several meanings. Bad credentials are 535, and were 500 in older documentation.
 * Documented at ahasend.com/docs/smtp. The phrases are KumoMTA's, which AhaSend's replies resemble: they refine a cause,
 * but they are no contract.
 */

/** What is known about a reply besides its code. */
export interface ReplyMoment {
  readonly command: CommandName
  /** Milliseconds without bytes in either direction before the command was sent or the unsolicited reply arrived. */
  readonly quietMs: number
  /** The text of the last line, as latin1. It is not kept. */
  readonly text: string
  readonly enhancedCode: string | undefined
}

/** AhaSend closes after 60 s without new data. A little less, because the proxy's clock starts a little later. */
const QUIET_MS = 55_000

const PHRASES_421: readonly (readonly [string, ReplyCause])[] = [
  ['idle too long', 'idle_timeout'],
  ['load shedding', 'load_shedding'],
  ['disk is too full', 'load_shedding'],
  ['not accepting writes', 'load_shedding'],
  ['waiting for spool', 'load_shedding'],
  ['shutting down', 'shutting_down'],
  ['too many recipients on this connection', 'connection_limit'],
  ['too many connections', 'connection_limit'],
  ['technical difficulties', 'internal_error'],
  ['previous error', 'internal_error'],
]

/** The cause of an upstream reply; `none` if the code says everything. */
export function causeOf(code: number, moment: ReplyMoment): ReplyCause {
  switch (code) {
    case 250:
      return moment.text.includes('PARTIAL ids=') && isFinal(moment.command) ? 'partially_queued' : 'none'
    case 421:
      return causeOf421(moment)
    case 451:
      return says(moment, 'unsubscribe link') ? 'unsubscribe_link' : 'internal_error'
    case 452:
      return causeOf452(moment)
    case 500:
    case 535:
      return moment.command === 'AUTH' ? 'invalid_credentials' : 'none'
    case 521:
      return 'account_disabled'
    case 552:
      return isTooBig(moment) ? 'message_too_big' : 'message_format'
    case 553:
      return 'recipient_rejected'
    case 556:
      return 'domain_not_configured'
    default:
      return 'none'
  }
}

/** True for the commands whose reply is a message's final reply. */
export function isFinal(command: CommandName): boolean {
  return command === 'END-OF-MESSAGE' || command === 'BDAT'
}

function causeOf421(moment: ReplyMoment): ReplyCause {
  const text = moment.text.toLowerCase()
  const known = PHRASES_421.find(([phrase]) => text.includes(phrase))?.[1]
  if (known) return known
  if (moment.command === 'CONNECT') return 'load_shedding'
  return moment.quietMs >= QUIET_MS ? 'idle_timeout' : 'internal_error'
}

function causeOf452(moment: ReplyMoment): ReplyCause {
  const text = moment.text.toLowerCase()
  if (text.includes('on this connection')) return 'connection_limit'
  return moment.enhancedCode === '4.5.3' || text.includes('too many recipients') ? 'too_many_recipients' : 'none'
}

function isTooBig(moment: ReplyMoment): boolean {
  return moment.enhancedCode === '5.3.4' || says(moment, 'too big')
}

function says({ text }: ReplyMoment, phrase: string): boolean {
  return text.toLowerCase().includes(phrase)
}
