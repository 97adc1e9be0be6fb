/** Command lines: the verb, the address, and the faults in the address. */
import type { CommandName } from '../../../proxy/events/closed-sets.ts'
import type { CommandFault, FaultPoint } from '../fault.ts'
import { faultsOfAddress } from '../fault-names.ts'

/** What the next reply answers: a command line, or an event such as a new connection. */
export interface Command {
  /** The first word in upper case. */
  readonly verb: string
  readonly command: CommandName
  /** The address of MAIL or RCPT, otherwise empty. */
  readonly address: string
  /** The second word, otherwise empty. */
  readonly argument: string
  /** The faults in the address; undefined if the address names a fault that does not exist. */
  readonly faults: readonly CommandFault[] | undefined
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
  // ASCII letters only: toUpperCase turns the long s of Unicode into S, so `ſtarttls` would become STARTTLS.
  const verb = (/^[A-Za-z]*(?= |$)/.exec(line)?.[0] ?? '').toUpperCase()
  const command = NAMES.get(verb) ?? 'OTHER'
  const isEnvelope = command === 'MAIL' || command === 'RCPT'
  const address = isEnvelope ? (/<([^>]*)>/.exec(line)?.[1] ?? '') : ''
  return { verb, command, address, argument: line.split(' ', 2)[1] ?? '', faults: faultsOfAddress(address) }
}

/** A command without a command line, such as `CONNECT`, which the greeting answers. */
export function pseudoCommand(command: CommandName): Command {
  return { verb: '', command, address: '', argument: '', faults: [] }
}

/** The point at which faults of a command apply. `beforeTls` is true while the client still has to send STARTTLS. */
export function faultPointOf(command: CommandName, beforeTls: boolean): FaultPoint | undefined {
  const point = POINTS[command]
  return point === 'ehlo' && beforeTls ? 'ehlo-in-clear' : point
}
