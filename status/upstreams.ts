/** The last dial of each upstream, whether or not a session waited for it. */
import type { DialError, LookupError } from '../proxy/events/closed-sets.ts'
import type { Dial, Lookup } from '../proxy/events/dial.ts'
import { dialExplanations, lookupExplanations } from '../proxy/events/dial-explanations.ts'

/** One upstream as the page shows it. Times are in milliseconds since the Unix epoch. */
export interface UpstreamReport {
  /** `host:port`, as configured. */
  readonly server: string
  /** Absent until the proxy has dialled it. */
  readonly last?: {
    readonly at: number
    readonly ok: boolean
    readonly milliseconds: number
    readonly error?: DialError
    /** What the error means, in a sentence. */
    readonly explanation?: string
    /** The code of a greeting that refused the connection. */
    readonly replyCode?: number
    /** The reply code and the library's name of the error, where there is one. */
    readonly detail?: string
  }
  /** Only while lookups of its name fail. */
  readonly lookup?: {
    readonly error: LookupError
    readonly explanation: string
    /** When the last good answer, which dials use, was given; absent if there is none. */
    readonly answeredAt?: number
  }
  /** When the last successful dial began. */
  readonly reachedAt?: number
  /** When the certificate that the upstream showed last expires. */
  readonly certificateNotAfter?: number
}

type Writable<T> = { -readonly [Key in keyof T]: T[Key] }

export class Upstreams {
  readonly #reports: ReadonlyMap<string, Writable<UpstreamReport>>

  /** Dials of servers that are not configured are ignored. */
  constructor(servers: readonly string[]) {
    this.#reports = new Map(servers.map((server) => [server, { server }]))
  }

  dialled(dial: Dial): void {
    const report = this.#reports.get(`${dial.serverAddress}:${dial.serverPort}`)
    if (!report || (report.last && report.last.at > dial.at)) return
    const { at, end, error } = dial
    const facts = [dial.replyCode, dial.detail].filter((fact) => fact !== undefined).join(', ')
    const failure = error && { error, explanation: explanationOf(dial, error), ...(facts && { detail: facts }) }
    const refusal = error === 'greeting_refused' && dial.replyCode !== undefined && { replyCode: dial.replyCode }
    report.last = { at, ok: !error, milliseconds: Math.max(0, end - at), ...failure, ...refusal }
    if (!error) report.reachedAt = at
    if (dial.certificateNotAfter !== undefined) report.certificateNotAfter = dial.certificateNotAfter * 1000
  }

  lookedUp({ serverAddress, end, error, answerAgeMs }: Lookup): void {
    for (const [server, report] of this.#reports) {
      if (server.slice(0, server.lastIndexOf(':')) !== serverAddress) continue
      delete report.lookup
      if (!error) continue
      const answer = answerAgeMs !== undefined && { answeredAt: end - answerAgeMs }
      report.lookup = { error, explanation: lookupExplanations[error], ...answer }
    }
  }

  /** In the configured order. */
  reports(): UpstreamReport[] {
    return [...this.#reports.values()].map((report) => ({ ...report }))
  }
}

function explanationOf({ advice }: Dial, error: DialError): string {
  return advice === undefined ? dialExplanations[error] : `${dialExplanations[error]}: ${advice}`
}
