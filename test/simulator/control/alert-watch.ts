/** Follows the alerts in Alertmanager: which fire, since when, and when they resolved. */
import type { Severity } from '../../../dashboards/alerts/alert.ts'

/** Alerts of one name and severity: one for each app, upstream or instance with the problem. */
export interface SeenAlert {
  readonly name: string
  readonly severity: Severity
  /** When the first of them began to fire, in milliseconds since the Unix epoch. */
  readonly since: number
  /** When the last of them resolved; undefined while one fires. */
  readonly resolvedAt?: number
  /** The apps in their labels, in order. */
  readonly apps: readonly string[]
  /** True while Alertmanager notifies no one of them, because a more specific alert fires. */
  readonly inhibited: boolean
}

/** Whether the page knows the alerts, and the reason why not. */
export type Reach =
  | { readonly state: 'none' }
  | { readonly state: 'unknown' | 'reached'; readonly url: string }
  | { readonly state: 'unreachable'; readonly url: string; readonly reason: string }

/** The part of an alert in `GET /api/v2/alerts` that the page needs. */
interface ListedAlert {
  readonly labels: Readonly<Record<string, string>>
  readonly startsAt: string
  readonly status: { readonly state: 'active' | 'suppressed' | 'unprocessed' }
}

/** Time for one answer, in milliseconds. */
const ANSWER_MS = 3000

/** This alert always fires. */
const WATCHDOG = 'SmtpProxyWatchdog'

export class AlertWatch {
  readonly #url: string | undefined
  readonly #alerts = new Map<string, SeenAlert>()
  #reach: Reach
  #asking: Promise<void> | undefined

  /** `url` is Alertmanager's; without it, nothing is known of alerts. */
  constructor(url?: string) {
    this.#url = url
    this.#reach = url === undefined ? { state: 'none' } : { state: 'unknown', url }
  }

  get reach(): Reach {
    return this.#reach
  }

  /** All alerts seen so far, in the order in which they appeared. */
  get alerts(): readonly SeenAlert[] {
    return [...this.#alerts.values()]
  }

  /** Asks Alertmanager once, unless it still has to answer. Never rejects. */
  ask(): Promise<void> {
    if (this.#url === undefined) return Promise.resolve()
    this.#asking ??= this.#ask(this.#url).finally(() => (this.#asking = undefined))
    return this.#asking
  }

  async #ask(url: string): Promise<void> {
    try {
      const response = await fetch(new URL('/api/v2/alerts', url), { signal: AbortSignal.timeout(ANSWER_MS) })
      if (!response.ok) throw new Error(`it answers ${response.status}`)
      this.#take((await response.json()) as readonly ListedAlert[], Date.now())
      this.#reach = { state: 'reached', url }
    } catch (error) {
      this.#reach = { state: 'unreachable', url, reason: reasonOf(error as Error) }
    }
  }

  /** Alertmanager no longer lists an alert that has resolved. */
  #take(listed: readonly ListedAlert[], now: number): void {
    const ours = listed.filter(({ labels }) => labels.alertname !== WATCHDOG)
    const firing = Map.groupBy(ours, ({ labels }) => `${labels.alertname} ${labels.severity}`)
    for (const [key, same] of firing) {
      const before = this.#alerts.get(key)
      const alert = alertOf(same)
      if (before?.resolvedAt !== undefined) this.#alerts.delete(key)
      const kept = before?.resolvedAt === undefined ? before : undefined
      this.#alerts.set(key, { ...alert, since: Math.min(alert.since, kept?.since ?? alert.since) })
    }
    for (const [key, alert] of this.#alerts)
      if (!firing.has(key) && alert.resolvedAt === undefined)
        this.#alerts.set(key, { ...alert, resolvedAt: now, inhibited: false })
  }
}

function alertOf(same: readonly ListedAlert[]): SeenAlert {
  const { alertname = '', severity } = same[0]?.labels ?? {}
  return {
    name: alertname,
    severity: severity as Severity,
    since: Math.min(...same.map(({ startsAt }) => Date.parse(startsAt))),
    apps: [...new Set(same.flatMap(({ labels }) => labels.smtp_client_name ?? []))].sort(),
    inhibited: same.every(({ status }) => status.state === 'suppressed'),
  }
}

/** `fetch` hides the reason in the cause. */
function reasonOf(error: Error): string {
  if (error.name === 'TimeoutError') return `no answer within ${ANSWER_MS / 1000} s`
  const { cause } = error
  return cause instanceof Error && cause.message !== '' ? cause.message : error.message
}
