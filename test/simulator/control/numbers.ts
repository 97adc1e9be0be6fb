/** What the simulator did with mail, as numbers of its ledger. */
import type { CommandName } from '../../../proxy/events/closed-sets.ts'
import type { Summary } from '../ledger.ts'

/** Refusals with one code at one command. */
export interface Refusals {
  readonly command: CommandName
  readonly code: number
  readonly count: number
}

export interface Numbers {
  /** Messages. */
  readonly accepted: number
  /** Refusals of a sender, a recipient or a message: at MAIL, RCPT, DATA and the end of the message. */
  readonly refused: number
  /** Messages whose connection ended before a complete final reply. */
  readonly inDoubt: number
  /** Refusals in place of the greeting. */
  readonly connectionsRefused: number
  /** Refusals at AUTH. */
  readonly loginsRefused: number
  /** Every reply from 400 on, by command and code, in the order of a session. */
  readonly refusals: readonly Refusals[]
}

const ORDER: readonly CommandName[] = [
  'CONNECT',
  'EHLO',
  'HELO',
  'STARTTLS',
  'AUTH',
  'MAIL',
  'RCPT',
  'DATA',
  'END-OF-MESSAGE',
]

const OF_MAIL: readonly CommandName[] = ['MAIL', 'RCPT', 'DATA', 'END-OF-MESSAGE']

/** With pipelining, 503 answers the commands after a refused command. It is no refusal of its own. */
const FOLLOW_UP = 503

export function numbersOf({ messages, inDoubt, replies }: Summary): Numbers {
  const refusals = refusalsOf(replies)
  const total = (commands: readonly CommandName[]) =>
    refusals.reduce((sum, { command, count }) => sum + (commands.includes(command) ? count : 0), 0)
  return {
    accepted: messages.accepted,
    refused: total(OF_MAIL),
    inDoubt,
    connectionsRefused: total(['CONNECT']),
    loginsRefused: total(['AUTH']),
    refusals,
  }
}

/** The ledger counts replies before and inside TLS separately. */
function refusalsOf(replies: Summary['replies']): readonly Refusals[] {
  const refused = replies.filter(({ code = 0 }) => code >= 400 && code !== FOLLOW_UP)
  const grouped = Map.groupBy(refused, ({ command, code }) => `${command} ${code}`)
  const sums = [...grouped.values()].map((same) => {
    const { command, code = 0 } = same[0]!
    return { command, code, count: same.reduce((sum, { count }) => sum + count, 0) }
  })
  return sums.sort((a, b) => rank(a.command) - rank(b.command) || a.code - b.code)
}

function rank(command: CommandName): number {
  const at = ORDER.indexOf(command)
  return at < 0 ? ORDER.length : at
}
