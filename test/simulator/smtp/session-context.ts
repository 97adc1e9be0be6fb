import type { ActiveFaults } from '../active-faults.ts'
import type { Ledger } from '../ledger.ts'
import type { Limits } from './command-checks.ts'

/** What all sessions of one simulator share. */
export interface SessionContext {
  /** The simulator's name in replies. */
  readonly hostname: string
  readonly requireTls: boolean
  readonly offerTls: boolean
  readonly requireAuth: boolean
  readonly limits: Limits
  /** Milliseconds without data after which a session ends. */
  readonly idleMs: number
  readonly keepBodies: boolean
  readonly refuseBareLineFeeds: boolean
  readonly ledger: Ledger
  readonly faults: ActiveFaults
}
