/**
 * `account-disabled`: refuses every message with 521, as AhaSend does for an account without permission to send.
 *
 * Breaks: every transaction, at its start. The connection stays open. The same as `521-at-mail`: AhaSend does not
 * document the command at which it replies 521.
 * Applies: at MAIL.
 * Parameters: none.
 */
import type { FaultType } from '../fault.ts'
import { replyAt } from './reply.ts'

export const accountDisabled: FaultType = {
  meaning: 'The simulator replies to MAIL with 521, as for an account that is suspended, paused or out of credits.',
  pattern: /^account-disabled$/,
  create: () => replyAt('mail', 521),
}
