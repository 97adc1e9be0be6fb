/**
 * `reset-at-<command>`: resets the connection (RST) instead of replying.
 *
 * Breaks: the connection. Replies to earlier commands are sent first.
 * Applies: at any command, at the greeting, or at the end of a message.
 * Parameters: none.
 */
import { atCommand, type FaultType } from '../fault.ts'

export const reset: FaultType = {
  meaning: 'The simulator resets the connection (RST) instead of replying to the command.',
  pattern: atCommand('reset'),
  create: (_, at) => ({ at, insteadOfCommand: (session) => session.reset() }),
}
