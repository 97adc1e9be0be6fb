/** Which incident is active, and what happened so far. */
import type { ActiveFaults } from '../active-faults.ts'
import type { Ledger } from '../ledger.ts'
import { ALL_WELL, REHEARSALS, type Rehearsal, rehearse } from '../rehearsals.ts'
import type { AlertWatch, SeenAlert } from './alert-watch.ts'
import { type Numbers, numbersOf } from './numbers.ts'
import { commandName, timeSpan } from './words.ts'

/** An incident that someone started. Times are milliseconds since the Unix epoch. */
export interface Incident {
  readonly rehearsal: Rehearsal
  readonly since: number
  readonly until?: number
  /** The numbers at its start. */
  readonly before: Numbers
}

/** One line of the timeline. */
export interface Entry {
  readonly at: number
  readonly kind: 'start' | 'mail' | 'alert' | 'resolved' | 'end'
  readonly text: string
}

const MOST_ENTRIES = 50
const EVERY_MS = 1000

export class IncidentLog {
  readonly watch: AlertWatch
  readonly #faults: ActiveFaults
  readonly #ledger: Ledger
  readonly #entries: Entry[] = []
  readonly #timer: NodeJS.Timeout
  #incident: Incident | undefined
  #affectsMail = false
  #known: readonly SeenAlert[] = []

  constructor(faults: ActiveFaults, ledger: Ledger, watch: AlertWatch) {
    this.#faults = faults
    this.#ledger = ledger
    this.watch = watch
    this.#timer = setInterval(() => void this.look(), EVERY_MS).unref()
  }

  /** The incident that is active, or the last one. */
  get incident(): Incident | undefined {
    return this.#incident
  }

  /** What happened, the latest first. */
  get entries(): readonly Entry[] {
    return this.#entries
  }

  get numbers(): Numbers {
    return numbersOf(this.#ledger.summary())
  }

  /** Starts an incident, and ends the active one. Returns false if there is no such incident. */
  start(id: string): boolean {
    if (!rehearse(id, this.#faults)) return false
    this.#end()
    if (id === ALL_WELL) return true
    const rehearsal = REHEARSALS.find((candidate) => candidate.id === id)!
    this.#incident = { rehearsal, since: Date.now(), before: this.numbers }
    this.#affectsMail = false
    this.#note('start', `“${rehearsal.label}” started.`)
    return true
  }

  /** Notes what changed since the last look. */
  async look(): Promise<void> {
    await this.watch.ask()
    this.#lookAtMail()
    this.#lookAtAlerts()
  }

  close(): void {
    clearInterval(this.#timer)
  }

  #end(): void {
    const incident = this.#incident
    if (incident === undefined || incident.until !== undefined) return
    const until = Date.now()
    this.#incident = { ...incident, until }
    this.#note('end', `Back to normal, after ${timeSpan(until - incident.since)}.`)
  }

  /** Notes the first effect. A fault with a number of times clears itself: then its incident is over. */
  #lookAtMail(): void {
    const incident = this.#incident
    if (incident === undefined || incident.until !== undefined) return
    const effect = this.#affectsMail ? undefined : firstEffect(incident.before, this.numbers)
    if (effect !== undefined) {
      this.#affectsMail = true
      this.#note('mail', effect)
    }
    if (this.#faults.list().length === 0) this.#end()
  }

  #lookAtAlerts(): void {
    const { alerts } = this.watch
    for (const alert of alerts) {
      const before = this.#known.find(({ name, severity }) => name === alert.name && severity === alert.severity)
      if (before === undefined || (before.resolvedAt !== undefined && alert.resolvedAt === undefined))
        this.#note('alert', `${alert.name} (${alert.severity}) fires${this.#afterStart(alert.since)}.`, alert.since)
      if (alert.resolvedAt !== undefined && before?.resolvedAt === undefined)
        this.#note('resolved', `${alert.name} (${alert.severity}) resolved.`, alert.resolvedAt)
    }
    this.#known = alerts
  }

  #afterStart(at: number): string {
    const since = this.#incident?.since ?? at
    return at > since ? `, ${timeSpan(at - since)} after the start` : ''
  }

  #note(kind: Entry['kind'], text: string, at = Date.now()): void {
    this.#entries.push({ at, kind, text })
    this.#entries.sort((a, b) => b.at - a.at)
    this.#entries.length = Math.min(this.#entries.length, MOST_ENTRIES)
  }
}

/** The first refusal, or the first message in doubt. */
function firstEffect(before: Numbers, now: Numbers): string | undefined {
  const had = new Map(before.refusals.map(({ command, code, count }) => [`${command} ${code}`, count]))
  const first = now.refusals.find(({ command, code, count }) => count > (had.get(`${command} ${code}`) ?? 0))
  if (first !== undefined) return `First refusal: ${first.code} ${commandName(first.command)}.`
  return now.inDoubt > before.inDoubt ? 'First message in doubt.' : undefined
}
