/**
 * `silence-at-<command>`: never replies to a command.
 *
 * Breaks: the reply. The connection stays open, also beyond the idle limit, until the client closes it.
 * Applies: at any command, at the greeting, or at the end of a message.
 * Parameters: none.
 */
import { atCommand, type FaultType } from '../fault.ts'

export const silence: FaultType = {
  meaning: 'The simulator never replies to the command and keeps the connection open.',
  pattern: atCommand('silence'),
  create: (_, at) => ({ at, insteadOfCommand: () => {} }),
}
