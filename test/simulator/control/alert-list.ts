/** The part of the control page about alerts: what to expect, and what Alertmanager reports. */
import type { Severity } from '../../../dashboards/alerts/alert.ts'
import { RUNBOOKS } from '../../../otel/names/meanings.ts'
import { type Html, html } from '../../../status/page/html.ts'
import { EXPECTED_ALERTS, type ExpectedAlert } from '../expected-alerts.ts'
import type { SeenAlert } from './alert-watch.ts'
import type { Incident } from './incident-log.ts'
import type { State } from './state.ts'
import { clock, rangeText, timeSpan } from './words.ts'

/** How an alert stands: its color, its sign, and the words. */
interface Standing {
  readonly kind: 'waiting' | 'firing' | 'resolved' | 'missed'
  readonly text: string
  readonly detail?: string
}

const LOOKS = {
  waiting: { color: 'warn', sign: '◔' },
  firing: { color: 'bad', sign: '▲' },
  resolved: { color: 'good', sign: '✓' },
  missed: { color: 'neutral', sign: '–' },
} as const

const SEVERITY_COLORS: Readonly<Record<Severity, string>> = {
  critical: 'bad',
  warning: 'warn',
  info: 'neutral',
  none: 'neutral',
}

/** Alerts that fire later than this, in seconds, are only named. */
const SOON = 30 * 60

/** What a button says about its alerts. */
export function expectations(alerts: readonly ExpectedAlert[]): Html {
  const soon = alerts.filter(({ fires }) => fires[0] <= SOON)
  const late = alerts.filter((alert) => !soon.includes(alert))
  const [first] = late
  const names = late.map(
    ({ name, severity }, index) => html`${index > 0 ? ' and ' : ''}${nameAndSeverity(name, severity)}`,
  )
  const then =
    first &&
    html`<p class="expected muted">${names} ${late.length > 1 ? 'fire' : 'fires'} after about ${Math.round(first.fires[0] / 60)} min, even if the incident is over.</p>`
  return html`${soon.map(expectation)}${then}`
}

function expectation({ name, severity, fires, resolves }: ExpectedAlert): Html {
  return html`<p class="expected">${nameAndSeverity(name, severity)}<br>fires ${rangeText(fires)}, ${resolvesText(resolves)}</p>`
}

/** When an alert resolves, from the end of its incident. */
export function resolvesText(resolves: ExpectedAlert['resolves']): string {
  if (typeof resolves === 'string') return `until ${resolves} fires`
  return `resolves ${rangeText(resolves).replace('after ', '')} after the end`
}

function nameAndSeverity(name: string, severity: Severity): Html {
  return html`<a class="alert-name" href="${runbookOf(name)}">${name}</a> ${tag(severity)}`
}

function tag(severity: Severity): Html {
  return html`<span class="tag ${SEVERITY_COLORS[severity]}">${severity}</span>`
}

function runbookOf(name: string): string {
  return `${RUNBOOKS}${name}.md`
}

/** The alerts of the active or last incident, then all others that fire or fired. */
export function alertsPart(state: State): Html {
  const { incident, alerts } = state
  const expected = incident === undefined ? [] : (EXPECTED_ALERTS[incident.rehearsal.id] ?? [])
  const others = alerts.filter((alert) => !expected.some(isAlert(alert)))
  const rows = [
    ...expected.map((alert) => row(alert, standing(alert, alerts.find(isAlert(alert)), incident!, state))),
    ...others.map((alert) => row(alert, reported(alert))),
  ]
  const none = incident === undefined ? 'No alert fires.' : 'No alert is expected for this incident.'
  const list = rows.length > 0 ? html`<ul class="alerts">${rows}</ul>` : html`<p class="card muted">${none}</p>`
  const reach = html`<p class="muted">${reachText(state)}</p>`
  return state.reach.state === 'reached' ? html`${list}${reach}` : html`${reach}${list}`
}

function isAlert(one: { readonly name: string; readonly severity: Severity }) {
  return ({ name, severity }: { readonly name: string; readonly severity: Severity }) =>
    name === one.name && severity === one.severity
}

function reachText({ reach }: State): string {
  if (reach.state === 'none') return 'No Alertmanager is configured, so this page shows only when alerts are expected.'
  if (reach.state === 'unreachable')
    return `Alertmanager at ${reach.url} cannot be reached (${reach.reason}), so this page does not know which alerts fire.`
  return `From Alertmanager at ${reach.url}.`
}

function row({ name, severity }: Pick<SeenAlert, 'name' | 'severity'>, { kind, text, detail }: Standing): Html {
  const { color, sign } = LOOKS[kind]
  return html`<li class="card ${color}" data-alert="${name} ${severity}" data-standing="${kind}"><p class="alert-head"><b class="alert-name">${name}</b> ${tag(severity)} <a class="runbook" href="${runbookOf(name)}" aria-label="Runbook of ${name}">Runbook</a></p>
<p class="standing"><span aria-hidden="true">${sign}</span> ${text}</p>${detail && html`<p class="muted">${detail}</p>`}</li>`
}

/** An alert of the active or last incident. */
function standing(alert: ExpectedAlert, seen: SeenAlert | undefined, incident: Incident, state: State): Standing {
  if (seen !== undefined && (seen.resolvedAt === undefined || seen.resolvedAt > incident.since))
    return {
      ...reported(seen, incident.since),
      ...(seen.resolvedAt === undefined && { detail: resolving(alert, incident) }),
    }
  const { since, until } = incident
  const [from, to] = alert.fires.map((seconds) => since + 1000 * seconds) as [number, number]
  const early = until !== undefined && until < from
  if (state.now <= to)
    return {
      kind: 'waiting',
      text: `Expected between ${clock(from)} and ${clock(to)}`,
      ...(early && { detail: 'The incident ended before that, so it may not fire.' }),
    }
  if (state.reach.state !== 'reached')
    return { kind: 'missed', text: `Expected until ${clock(to)}. Whether it fired is not known.` }
  if (early) return { kind: 'missed', text: 'Did not fire: the incident ended too early.' }
  return {
    kind: 'missed',
    text: `Expected until ${clock(to)}, but did not fire.`,
    detail: 'Check that apps send mail.',
  }
}

/** What Alertmanager reports. `start` is the start of the incident. */
function reported({ since, resolvedAt, apps, inhibited }: SeenAlert, start?: number): Standing {
  if (resolvedAt !== undefined)
    return {
      kind: 'resolved',
      text: `Resolved at ${clock(resolvedAt)}`,
      detail: `It started to fire at ${clock(since)}.`,
    }
  const late =
    start === undefined ? '' : since > start ? `, ${timeSpan(since - start)} after the start` : ', before this incident'
  const who = apps.length > 0 ? ` Apps: ${apps.join(', ')}.` : ''
  const silent = inhibited ? ' Alertmanager notifies no one, because a more specific alert fires.' : ''
  return { kind: 'firing', text: `Firing since ${clock(since)}${late}.${who}${silent}` }
}

function resolving({ resolves }: ExpectedAlert, { until }: Incident): string {
  if (typeof resolves === 'string') return `Resolves when ${resolves} fires, which names the reason.`
  if (until === undefined) return `It ${resolvesText(resolves)} of the incident.`
  const [from, to] = resolves.map((seconds) => until + 1000 * seconds) as [number, number]
  return `Expected to resolve between ${clock(from)} and ${clock(to)}.`
}
