import type { CommandFault } from '../fault.ts'
import type { MessageRecord } from '../ledger.ts'

/** A transaction in progress: from an accepted MAIL to the reply to the final dot. */
export interface Transaction {
  readonly sender: string
  readonly recipients: string[]
  /** The faults in the addresses of the sender and of the accepted recipients. */
  readonly faults: CommandFault[]
  /** The ledger's record, once the body has ended. */
  message?: MessageRecord
  /** The ids of the accepted message, one per recipient. */
  ids: readonly string[]
}
