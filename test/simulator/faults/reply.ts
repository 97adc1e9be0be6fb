/**
 * `<code>-at-<command>`: refuses a command, or accepts it with another code.
 *
 * Breaks: the reply. The simulator does not perform the command. Its session state stays as it was before the command.
 * Applies: at any command, at the greeting, or at the end of a message.
 * Parameters: `<code>`, the reply code, 200 to 599.
 */
import { atCommand, type CommandFault, type FaultPoint, type FaultType } from '../fault.ts'

export const reply: FaultType<'code'> = {
  meaning: 'The simulator replies with this code instead of performing the command; 421 also closes the connection.',
  pattern: atCommand('(?<code>[2-5][0-9][0-9])'),
  create: ({ code }, at) => replyAt(at, code),
}

/** The fault that replies with a code at one command. */
export function replyAt(at: FaultPoint, code: number, text?: string): CommandFault {
  return {
    at,
    insteadOfCommand: (session) => session.reply(code, text),
    withText: (other) => replyAt(at, code, other),
  }
}
