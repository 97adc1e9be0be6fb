/**
 * `cut-at-<command>`: sends half a reply, then closes the connection (FIN).
 *
 * Breaks: the reply. The simulator performs the command, but the ledger does not count a message with half a final
 * reply as accepted.
 * Applies: at any command, at the greeting, or at the end of a message.
 * Parameters: none.
 */
import { atCommand, type FaultType } from '../fault.ts'

export const cut: FaultType = {
  meaning: 'The simulator sends the first half of its reply to the command, then closes the connection (FIN).',
  pattern: atCommand('cut'),
  create: (_, at) => ({ at, afterHalfReply: (session) => session.close() }),
}
