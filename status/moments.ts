/** When the events that decide whether mail is flowing happened last. Times are in milliseconds since the Unix epoch. */
import type { TransactionOutcome } from '../proxy/events/closed-sets.ts'
import type { ReplyFacts } from '../proxy/events/reply.ts'

/** The last logins of one app. */
export interface Logins {
  acceptedAt?: number
  /** Only refusals that concern the credentials. */
  rejectedAt?: number
}

export class Moments {
  acceptedAt: number | undefined
  accountDisabledAt: number | undefined
  readonly logins = new Map<string, Logins>()

  message(outcome: TransactionOutcome, at: number): void {
    if (outcome === 'accepted') this.acceptedAt = latest(this.acceptedAt, at)
  }

  accountDisabled(at: number): void {
    this.accountDisabledAt = latest(this.accountDisabledAt, at)
  }

  /** An AUTH exchange of this app ended with `reply`. */
  login(app: string, at: number, { code, cause }: ReplyFacts): void {
    const logins = this.logins.get(app) ?? {}
    this.logins.set(app, logins)
    if (code >= 200 && code < 300) logins.acceptedAt = latest(logins.acceptedAt, at)
    else if (cause === 'invalid_credentials') logins.rejectedAt = latest(logins.rejectedAt, at)
  }
}

function latest(known: number | undefined, at: number): number {
  return known === undefined ? at : Math.max(known, at)
}
