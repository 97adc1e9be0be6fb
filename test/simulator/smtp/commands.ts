/** Command lines as the simulator sees them: their name, their address, and the faults that the address asks for. */
import type { CommandName } from '../../../proxy/events/closed-sets.ts'
import { type AnswerFault, type FaultPoint, faultsOfAddress } from '../faults.ts'

/** A command, or another thing that a reply answers. */
export interface Command {
  /** The first word, upper case. */
  readonly verb: string
  readonly command: CommandName
  /** The address of MAIL or RCPT, else empty. */
  readonly address: string
  /** The second word, else empty. */
  readonly argument: string
  /** What the address asks for; undefined when it names a fault that does not exist. */
  readonly faults: readonly AnswerFault[] | undefined
}

const NAMES: ReadonlyMap<string, CommandName> = new Map(
  (['EHLO', 'HELO', 'STARTTLS', 'AUTH', 'MAIL', 'RCPT', 'DATA', 'BDAT', 'RSET', 'NOOP', 'VRFY', 'QUIT'] as const).map(
    (name) => [name, name],
  ),
)

const POINTS: Readonly<Partial<Record<CommandName, FaultPoint>>> = {
  CONNECT: 'greeting',
  EHLO: 'ehlo',
  HELO: 'ehlo',
  STARTTLS: 'starttls',
  AUTH: 'auth',
  MAIL: 'mail',
  RCPT: 'rcpt',
  DATA: 'data',
  'END-OF-MESSAGE': 'end-of-message',
  RSET: 'rset',
  NOOP: 'noop',
  QUIT: 'quit',
}

/** Reads a command line. */
export function readCommand(line: string): Command {
  // ASCII letters only: the long s of Unicode, upper-cased, would make a STARTTLS of something else.
  const verb = (/^[A-Za-z]*(?= |$)/.exec(line)?.[0] ?? '').toUpperCase()
  const command = NAMES.get(verb) ?? 'OTHER'
  const isEnvelope = command === 'MAIL' || command === 'RCPT'
  const address = isEnvelope ? (/<([^>]*)>/.exec(line)?.[1] ?? '') : ''
  return { verb, command, address, argument: line.split(' ', 2)[1] ?? '', faults: faultsOfAddress(address) }
}

/** Something that a reply answers and that is no command line, such as the greeting. */
export function pseudoCommand(command: CommandName): Command {
  return { verb: '', command, address: '', argument: '', faults: [] }
}

/** Where faults of a command strike. `beforeTls` is true while a required STARTTLS is still to come. */
export function faultPointOf(command: CommandName, beforeTls: boolean): FaultPoint | undefined {
  const point = POINTS[command]
  return point === 'ehlo' && beforeTls ? 'ehlo-in-clear' : point
}
