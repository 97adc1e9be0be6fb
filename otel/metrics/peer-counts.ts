import type { CommandName, RecipientVerdict, ReplyCause, TransactionOutcome } from '../../proxy/events/closed-sets.ts'
import type { ReplyFacts } from '../../proxy/events/reply.ts'
import type { Cell, Cells } from '../instruments/instruments.ts'
import { type AttributesOf, commands, replyCauses, transactionErrors } from '../names/names.ts'

/** The counters with labels for the upstream and the client name. */
export interface PeerCounters {
  readonly replies: Cells<AttributesOf<'replies'>>
  readonly transactions: Cells<AttributesOf<'transactions'>>
  readonly recipients: Cells<AttributesOf<'recipients'>>
}

/** The counts of each pair of an upstream and a client name. Both are configured, so there are few pairs. */
export class Peers {
  readonly #counters: PeerCounters
  readonly #counts = new Map<string, PeerCounts>()

  constructor(counters: PeerCounters) {
    this.#counters = counters
  }

  /** The counts of a pair. Returns the same object each time. */
  of(server: string, client: string): PeerCounts {
    const key = `${server}\n${client}`
    const known = this.#counts.get(key)
    if (known) return known
    const counts = new PeerCounts(server, client, this.#counters)
    this.#counts.set(key, counts)
    return counts
  }
}

/** Maps each name to its index, for keys that are plain numbers. */
function indexOf<Name extends string>(names: readonly Name[]): Readonly<Record<Name, number>> {
  return Object.fromEntries(names.map((name, index) => [name, index])) as Record<Name, number>
}
const commandIndex = indexOf<CommandName>(commands)
const causeIndex = indexOf<ReplyCause>(replyCauses)
/** One more than the highest reply code. */
const CODES = 600

/** The commands at which AhaSend may refuse a disabled account. Its documentation names none, so all are listed. */
const MAY_BE_DISABLED = ['CONNECT', 'AUTH', 'MAIL', 'RCPT', 'DATA', 'END-OF-MESSAGE'] as const

/** The refusals that AhaSend documents, at the commands where they are most likely. Other series do not start at 0. */
const EXPECTED_REFUSALS = [
  ['CONNECT', 421, 'load_shedding'],
  ['AUTH', 535, 'invalid_credentials'],
  ['AUTH', 500, 'invalid_credentials'],
  ['MAIL', 421, 'internal_error'],
  ['MAIL', 556, 'domain_not_configured'],
  ['RCPT', 421, 'internal_error'],
  ['RCPT', 452, 'too_many_recipients'],
  ['RCPT', 553, 'recipient_rejected'],
  ['DATA', 421, 'internal_error'],
  ['END-OF-MESSAGE', 250, 'partially_queued'],
  ['END-OF-MESSAGE', 421, 'internal_error'],
  ['END-OF-MESSAGE', 451, 'internal_error'],
  ['END-OF-MESSAGE', 451, 'unsubscribe_link'],
  ['END-OF-MESSAGE', 552, 'message_format'],
  ['END-OF-MESSAGE', 552, 'message_too_big'],
  ['UNSOLICITED', 421, 'idle_timeout'],
] as const satisfies readonly (readonly [CommandName, number, ReplyCause])[]

/** The causes of local replies in place of a greeting. */
const LOCAL_REFUSALS = [
  'upstream_unreachable',
  'not_allowed',
  'session_limit',
  'local_resources_exhausted',
] as const satisfies readonly ReplyCause[]

/** The expected outcomes of a message, by AhaSend's documented codes. */
const EXPECTED_OUTCOMES = [
  ['accepted'],
  ['aborted'],
  ['tempfail', '421'],
  ['tempfail', '451'],
  ['tempfail', '452'],
  ['tempfail', 'upstream_lost'],
  ['tempfail', 'drained'],
  ['tempfail', 'unsubscribe_link'],
  ['permfail', '521'],
  ['permfail', '552'],
  ['permfail', '553'],
  ['permfail', '556'],
  ['in_doubt', 'upstream_lost'],
  ['in_doubt', 'final_reply_timeout'],
  ['in_doubt', 'idle_timeout'],
  ['in_doubt', 'drained'],
] as const satisfies readonly (readonly [TransactionOutcome, string?])[]

/** The counts of one upstream and one client name. A session knows both, so it finds its series by a number. */
export class PeerCounts {
  readonly server: string
  readonly recipients: Readonly<Record<RecipientVerdict, Cell>>
  readonly #client: string
  readonly #counters: PeerCounters
  readonly #replies = new Map<number, Cell>()
  readonly #transactions = new Map<string, Cell>()

  constructor(server: string, client: string, counters: PeerCounters) {
    this.server = server
    this.#client = client
    this.#counters = counters
    this.recipients = {
      accepted: this.#recipient('accepted'),
      tempfail: this.#recipient('tempfail'),
      permfail: this.#recipient('permfail'),
    }
  }

  /** The series of a reply. */
  reply(command: CommandName, reply: Pick<ReplyFacts, 'code' | 'cause' | 'origin'>): Cell {
    const code = labelledCode(reply.code)
    const kind = commandIndex[command] * replyCauses.length + causeIndex[reply.cause]
    const key = (kind * 2 + (reply.origin === 'proxy' ? 1 : 0)) * CODES + code
    const known = this.#replies.get(key)
    if (known) return known
    const cell = this.#counters.replies.at({
      'smtp.command': command,
      'smtp.reply.code': code,
      'smtp.reply.cause': reply.cause,
      'smtp.reply.origin': reply.origin,
      'server.address': this.server,
      'smtp.client.name': this.#client,
    })
    this.#replies.set(key, cell)
    return cell
  }

  /** The series of a message's outcome. `error` is absent if the message was accepted or aborted. */
  transaction(outcome: TransactionOutcome, error?: string): Cell {
    const type = error === undefined ? undefined : labelledError(error)
    const key = `${outcome} ${type}`
    const known = this.#transactions.get(key)
    if (known) return known
    const cell = this.#counters.transactions.at({
      'smtp.transaction.outcome': outcome,
      ...(type !== undefined && { 'error.type': type }),
      'server.address': this.server,
      'smtp.client.name': this.#client,
    })
    this.#transactions.set(key, cell)
    return cell
  }

  /** Creates the series that alerts read. */
  startAtZero(): void {
    for (const command of MAY_BE_DISABLED)
      this.reply(command, { code: 521, cause: 'account_disabled', origin: 'upstream' })
    for (const [command, code, cause] of EXPECTED_REFUSALS) this.reply(command, { code, cause, origin: 'upstream' })
    this.reply('AUTH', { code: 235, cause: 'none', origin: 'upstream' })
    for (const cause of LOCAL_REFUSALS) this.reply('CONNECT', { code: 421, cause, origin: 'proxy' })
    for (const [outcome, error] of EXPECTED_OUTCOMES) this.transaction(outcome, error)
  }

  #recipient(verdict: RecipientVerdict): Cell {
    return this.#counters.recipients.at({
      'smtp.recipient.verdict': verdict,
      'server.address': this.server,
      'smtp.client.name': this.#client,
    })
  }
}

/** An upstream may send any three digits. Invalid reply codes (RFC 5321, section 4.2.1) become 0, to limit the labels. */
export function labelledCode(code: number): number {
  return Number.isInteger(code) && code >= 200 && code <= 599 ? code : 0
}

function labelledError(error: string): string {
  const known: readonly string[] = transactionErrors
  return known.includes(error) ? error : `${labelledCode(Number(error))}`
}
