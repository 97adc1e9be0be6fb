/**
 * `close-at-<command>`: closes the connection (FIN) instead of replying.
 *
 * Breaks: the connection, in an orderly way. At the end of a message the client cannot know whether the message was
 * accepted.
 * Applies: at any command, at the greeting, or at the end of a message.
 * Parameters: none.
 */
import { atCommand, type FaultType } from '../fault.ts'

export const close: FaultType = {
  meaning: 'The simulator closes the connection (FIN) instead of replying to the command.',
  pattern: atCommand('close'),
  create: (_, at) => ({ at, insteadOfCommand: (session) => session.close() }),
}
