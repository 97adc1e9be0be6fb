/** What the control page shows, and the part of it about the active incident. */
import { type Html, html } from '../../../status/page/html.ts'
import { count } from '../../../status/page/numbers.ts'
import type { ActiveFault } from '../active-faults.ts'
import { faultType } from '../fault-names.ts'
import type { AlertWatch, SeenAlert } from './alert-watch.ts'
import type { Entry, Incident } from './incident-log.ts'
import type { Numbers } from './numbers.ts'
import { clock, timeSpan } from './words.ts'

/** Addresses for the page. They may be set later: the proxy starts after its upstream. */
export interface ControlLinks {
  /** The base URL of Alertmanager, as seen from this process. */
  alertmanagerUrl?: string
  /** As seen from a browser. */
  readonly grafanaUrl?: string
  /** The status page of the proxy, as seen from a browser. */
  statusUrl?: string
}

/** Everything that the page shows. */
export interface State {
  readonly now: number
  readonly faults: readonly ActiveFault[]
  /** The incident that is active, or the last one. */
  readonly incident?: Incident | undefined
  readonly entries: readonly Entry[]
  readonly numbers: Numbers
  readonly alerts: readonly SeenAlert[]
  readonly reach: AlertWatch['reach']
  readonly links: ControlLinks
}

/** The incident that is active. */
export function activeIncident({ incident }: State): Incident | undefined {
  return incident?.until === undefined ? incident : undefined
}

/** For the tab. */
export function titleOf(state: State): string {
  return `${wordOf(state)} – AhaSend rehearsal`
}

/** For screen readers, when it changes. */
export function announcement(state: State): string {
  const firing = state.alerts.filter(({ resolvedAt }) => resolvedAt === undefined).map(({ name }) => name)
  return `${wordOf(state)}. ${firing.length === 0 ? 'No alert fires.' : `Firing: ${firing.join(', ')}.`}`
}

function wordOf(state: State): string {
  const active = activeIncident(state)
  if (active !== undefined) return active.rehearsal.label
  return state.faults.length > 0 ? 'Faults are set' : 'Normal'
}

/** What AhaSend does now. */
export function statePart(state: State): Html {
  const active = activeIncident(state)
  const word = wordOf(state)
  const sign = word === 'Normal' ? '✓' : '✕'
  return html`<h2 id="state-heading">What does AhaSend do now?</h2>
<p class="word"><span class="sign" aria-hidden="true">${sign}</span> ${word}</p>
${active ? activePart(active, state) : idlePart(state)}
${state.faults.length > 0 ? html`<ul class="faults">${state.faults.map((fault) => faultItem(fault, active === undefined))}</ul>` : undefined}`
}

function activePart({ rehearsal, since }: Incident, { now }: State): Html {
  return html`<p class="reason">${rehearsal.meaning}</p>
<p><b>Apps:</b> ${rehearsal.apps}</p>
<p class="muted">Active since ${clock(since)}, for ${timeSpan(now - since)}. Press “Back to normal” to end it.</p>`
}

function idlePart({ faults, incident, now }: State): Html {
  if (faults.length > 0)
    return html`<p class="reason">Someone set these faults over HTTP. “Back to normal” clears them.</p>`
  const last = incident?.until
  const ended =
    last === undefined
      ? undefined
      : html`<p class="muted">“${incident?.rehearsal.label}” ended at ${clock(last)}, ${timeSpan(now - last)} ago. Its alerts resolve later: see below.</p>`
  return html`<p class="reason">AhaSend accepts every message. No fault is set.</p>${ended}`
}

/** With its meaning, unless the incident explains it. */
function faultItem({ name, options, applied }: ActiveFault, explain: boolean): Html {
  const meaning = explain ? ` ${faultType(name)?.meaning}` : ''
  const chance = options.probability === undefined ? '' : `, probability ${options.probability * 100}%`
  return html`<li>Fault <code class="inline">${name}</code>${chance}, applied ${count(applied)} times.${meaning}</li>`
}
