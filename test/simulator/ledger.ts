/** What the simulator received and replied: always exact counts, and, by default, a record of each event. */
import type { CommandName } from '../../proxy/events/closed-sets.ts'
import type { Body } from './smtp/body.ts'

/** One complete reply. Times are milliseconds since the Unix epoch. */
export interface ReplyRecord {
  readonly session: number
  readonly at: number
  /** What it answers: `CONNECT` is the greeting, `DATA` the 354, `END-OF-MESSAGE` the reply to the final dot. */
  readonly command: CommandName
  readonly code: number
  /** The first 60 characters of the text in the first line. */
  readonly text: string
  /** True if it was sent inside TLS. A proxy receives the replies before TLS itself, and no client sees them. */
  readonly tls: boolean
}

/** One command line that was received. */
export interface CommandRecord {
  readonly session: number
  readonly at: number
  readonly command: CommandName
  /** The first 60 characters, without credentials. */
  readonly line: string
  readonly tls: boolean
}

/** One message that was received up to its final dot. */
export interface MessageRecord {
  readonly session: number
  readonly at: number
  readonly sender: string
  readonly recipients: readonly string[]
  readonly size: number
  readonly sha256: string
  /** The body as on the wire; only if the simulator keeps bodies. */
  readonly bytes?: Buffer
  /** The code of the final reply; absent until, and unless, a complete one was sent. */
  code?: number
  /** The ids in the 250, one per recipient. */
  ids?: readonly string[]
}

/** Bytes of SMTP, unencrypted and inside TLS, without the bytes of TLS itself. */
export interface ByteCounts {
  clear: number
  tls: number
}

/** One connection. */
export interface SessionRecord {
  readonly session: number
  readonly openedAt: number
  closedAt?: number
  /** True once the TLS handshake has succeeded. */
  tls: boolean
  readonly received: ByteCounts
  readonly sent: ByteCounts
}

/** A count of replies; without a code, a count of commands. */
export interface Count {
  readonly command: CommandName
  readonly code?: number
  readonly tls: boolean
  readonly count: number
}

/** The totals. */
export interface Summary {
  readonly sessions: {
    readonly opened: number
    readonly closed: number
    readonly tls: number
    readonly tlsFailed: number
  }
  /**
   * `received` = `accepted` + `refused` + messages without a complete final reply. `aborted` counts bodies without a
   * final dot; `received` does not include them.
   */
  readonly messages: {
    readonly received: number
    readonly accepted: number
    readonly refused: number
    readonly aborted: number
    readonly octets: number
  }
  /** Messages whose connection ended before a complete final reply. */
  readonly inDoubt: number
  /** Recipients of accepted messages. */
  readonly recipients: number
  readonly received: ByteCounts
  readonly sent: ByteCounts
  /** Replies of which a fault sent only half. No other count includes them. */
  readonly cutReplies: number
  readonly replies: readonly Count[]
  readonly commands: readonly Count[]
}

/**
 * `records` keeps everything. `bodies` keeps counts and the hash of each body. `summary` keeps only counts, so that its
 * memory does not grow in months.
 */
export type LedgerDetail = 'records' | 'bodies' | 'summary'

const KEPT_CHARACTERS = 60

/** The ledger of one simulator. */
export class Ledger {
  readonly replies: ReplyRecord[] = []
  readonly commands: CommandRecord[] = []
  readonly messages: MessageRecord[] = []
  readonly sessions: SessionRecord[] = []
  /** How often each body was received, by SHA-256; empty if only a summary is kept. */
  readonly bodies = new Map<string, number>()
  readonly detail: LedgerDetail
  readonly #replyCounts = new Map<string, number>()
  readonly #commandCounts = new Map<string, number>()
  #opened = 0
  #closed = 0
  #tls = 0
  #tlsFailed = 0
  #received = 0
  #accepted = 0
  #refused = 0
  #aborted = 0
  #bodyBytes = 0
  #recipients = 0
  #cutReplies = 0
  #inDoubt = 0
  /** The sessions in which a final reply is due. */
  readonly #undecided = new Set<number>()
  readonly #bytesReceived: ByteCounts = { clear: 0, tls: 0 }
  readonly #bytesSent: ByteCounts = { clear: 0, tls: 0 }

  constructor(detail: LedgerDetail = 'records') {
    this.detail = detail
  }

  opened(): SessionRecord {
    this.#opened += 1
    const session: SessionRecord = {
      session: this.#opened,
      openedAt: Date.now(),
      tls: false,
      received: { clear: 0, tls: 0 },
      sent: { clear: 0, tls: 0 },
    }
    if (this.detail === 'records') this.sessions.push(session)
    return session
  }

  secured(session: SessionRecord): void {
    session.tls = true
    this.#tls += 1
  }

  handshakeFailed(): void {
    this.#tlsFailed += 1
  }

  closed(session: SessionRecord): void {
    session.closedAt = Date.now()
    this.#closed += 1
    if (this.#undecided.delete(session.session)) this.#inDoubt += 1
  }

  received(session: SessionRecord, bytes: number): void {
    const side = session.tls ? 'tls' : 'clear'
    session.received[side] += bytes
    this.#bytesReceived[side] += bytes
  }

  command(session: SessionRecord, command: CommandName, line: string): void {
    add(this.#commandCounts, `${command} ${session.tls}`)
    if (this.detail !== 'records') return
    const kept = line.slice(0, KEPT_CHARACTERS)
    this.commands.push({ session: session.session, at: Date.now(), command, line: kept, tls: session.tls })
  }

  replied(session: SessionRecord, command: CommandName, code: number, bytes: number, text: string): void {
    this.#sent(session, bytes)
    add(this.#replyCounts, `${command} ${session.tls} ${code}`)
    if (this.detail !== 'records') return
    const kept = text.slice(0, KEPT_CHARACTERS)
    this.replies.push({ session: session.session, at: Date.now(), command, code, text: kept, tls: session.tls })
  }

  replyCut(session: SessionRecord, bytes: number): void {
    this.#sent(session, bytes)
    this.#cutReplies += 1
  }

  /** A body ended with its final dot. Its final reply may follow. */
  message(session: SessionRecord, sender: string, recipients: readonly string[], body: Body): MessageRecord {
    this.#received += 1
    this.#bodyBytes += body.size
    if (this.detail !== 'summary') add(this.bodies, body.sha256)
    const { size, sha256, bytes } = body
    const kept = bytes && { bytes }
    const message = { session: session.session, at: Date.now(), sender, recipients, size, sha256, ...kept }
    if (this.detail === 'records') this.messages.push(message)
    this.#undecided.add(session.session)
    return message
  }

  /** A complete final reply to a message was sent. */
  verdict(message: MessageRecord, code: number, ids: readonly string[]): void {
    message.code = code
    this.#undecided.delete(message.session)
    if (code >= 300) {
      this.#refused += 1
      return
    }
    message.ids = ids
    this.#accepted += 1
    this.#recipients += message.recipients.length
  }

  /** The connection ended inside a body. */
  bodyAborted(): void {
    this.#aborted += 1
  }

  /** The totals, exact at any moment. */
  summary(): Summary {
    return {
      sessions: { opened: this.#opened, closed: this.#closed, tls: this.#tls, tlsFailed: this.#tlsFailed },
      messages: {
        received: this.#received,
        accepted: this.#accepted,
        refused: this.#refused,
        aborted: this.#aborted,
        octets: this.#bodyBytes,
      },
      inDoubt: this.#inDoubt,
      recipients: this.#recipients,
      received: { ...this.#bytesReceived },
      sent: { ...this.#bytesSent },
      cutReplies: this.#cutReplies,
      replies: counts(this.#replyCounts),
      commands: counts(this.#commandCounts),
    }
  }

  #sent(session: SessionRecord, bytes: number): void {
    const side = session.tls ? 'tls' : 'clear'
    session.sent[side] += bytes
    this.#bytesSent[side] += bytes
  }
}

function add(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1)
}

function counts(map: ReadonlyMap<string, number>): readonly Count[] {
  return [...map].sort().map(([key, count]) => {
    const [command, tls, code] = key.split(' ')
    return { command: command as CommandName, ...(code && { code: Number(code) }), tls: tls === 'true', count }
  })
}
