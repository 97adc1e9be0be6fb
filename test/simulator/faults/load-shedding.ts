/**
 * `load-shedding`: refuses a new connection with 421, as AhaSend does when it is overloaded.
 *
 * Breaks: the connection, before the client can send anything. The same as `421-at-greeting`.
 * Applies: at the greeting.
 * Parameters: none.
 */
import type { FaultType } from '../fault.ts'
import { replyAt } from './reply.ts'

export const loadShedding: FaultType = {
  meaning: 'The greeting is a 421 with a load shedding text, and the simulator closes the connection.',
  pattern: /^load-shedding$/,
  create: () => replyAt('greeting', 421),
}
