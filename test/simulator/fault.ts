/**
 * What a fault is: a way to break a session, with its parameters filled in. Each file in `faults/` defines one type of
 * fault; `faults/index.ts` lists all types by name.
 */
import type { Socket } from 'node:net'

/** Where a command fault applies. `ehlo-in-clear` is the EHLO before a required STARTTLS. */
export const FAULT_POINTS = [
  'greeting',
  'ehlo-in-clear',
  'starttls',
  'ehlo',
  'auth',
  'mail',
  'rcpt',
  'data',
  'end-of-message',
  'rset',
  'noop',
  'quit',
] as const

export type FaultPoint = (typeof FAULT_POINTS)[number]

/** What a command fault can do to its session. */
export interface SessionActions {
  /**
   * Sends this reply and reads the next command. 421 also closes the connection. Without a text: the usual one of the
   * code.
   */
  reply(code: number, text?: string): void
  /** Closes the connection (FIN). */
  close(): void
  /** Resets the connection (RST), once all earlier replies are sent. */
  reset(): void
}

/** A fault that changes the reply to one command, to the greeting or to the end of a message. */
export interface CommandFault {
  readonly at: FaultPoint
  /** Milliseconds until the simulator performs the command. */
  readonly delayMs?: number
  /** Runs instead of the command. If it does nothing, the client waits forever. */
  readonly insteadOfCommand?: (session: SessionActions) => void
  /** Sends only the first half of the reply, then runs. */
  readonly afterHalfReply?: (session: SessionActions) => void
  /** The same fault with another reply text. Only for faults that reply. */
  withText?(text: string): CommandFault
}

/** A fault that changes the idle limit of a new connection. */
export interface IdleFault {
  /** Milliseconds without data until the simulator closes the connection. */
  readonly idleMs: number
}

/** A connection with a wire fault. */
export interface Link {
  readonly client: Socket
  /** Aborted when the client's connection has closed. */
  readonly closed: AbortSignal
  /** Seeded; returns 0 to less than 1. */
  readonly random: () => number
}

/** Chunks of one direction of a connection. */
export type Chunks = AsyncIterable<Buffer>

/**
 * Reads chunks and yields the ones to send on. If it returns, the relay closes (FIN); if it throws, the relay resets
 * (RST).
 */
export type Transform = (chunks: Chunks, link: Link) => Chunks

/** A fault below SMTP and TLS. The simulator draws it when it accepts a connection. */
export interface WireFault {
  /** Changes bytes from the simulator to the client. */
  readonly toClient?: Transform
  /** Changes bytes from the client to the simulator. */
  readonly toServer?: Transform
}

export type Fault = CommandFault | IdleFault | WireFault

/** True for faults that change the reply to a command. */
export function isCommandFault(fault: Fault): fault is CommandFault {
  return 'at' in fault
}

/** True for faults that change the idle limit. */
export function isIdleFault(fault: Fault): fault is IdleFault {
  return 'idleMs' in fault
}

/** True for faults below SMTP. */
export function isWireFault(fault: Fault): fault is WireFault {
  return 'toClient' in fault || 'toServer' in fault
}

/** One type of fault. `Parameter` lists the named groups of its pattern that are numbers. */
export interface FaultType<Parameter extends string = string> {
  /** One sentence: what the simulator does wrong. */
  readonly meaning: string
  /** Matches the names of this type. Named groups are parameters. */
  readonly pattern: RegExp
  /** Makes the fault for a name that matches. `at` is the command in the name, or `greeting` if it contains none. */
  create(parameters: Readonly<Record<Parameter, number>>, at: FaultPoint): Fault
}

/** The pattern of a fault that applies at a command: `<prefix>-at-<command>`. */
export function atCommand(prefix: string): RegExp {
  return new RegExp(`^${prefix}-at-(?<at>${FAULT_POINTS.join('|')})$`)
}
