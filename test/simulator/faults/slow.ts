/**
 * `slow-<ms>-at-<command>`: performs a command late.
 *
 * Breaks: the time until the reply. A client with a shorter timeout gives up, and may send the message again.
 * Applies: at any command, at the greeting, or at the end of a message. Several delays at one command add up.
 * Parameters: `<ms>`, the delay in milliseconds, 0 or more.
 */
import { atCommand, type FaultType } from '../fault.ts'

export const slow: FaultType<'ms'> = {
  meaning: 'The simulator performs the command, and replies, this many milliseconds late.',
  pattern: atCommand('slow-(?<ms>[0-9]+)'),
  create: ({ ms }, at) => ({ at, delayMs: ms }),
}
