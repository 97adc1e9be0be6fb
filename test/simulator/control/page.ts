/** The control page for browsers. It is complete without JavaScript and loads nothing from elsewhere. */
import { type Html, html } from '../../../status/page/html.ts'
import { EXPECTED_ALERTS } from '../expected-alerts.ts'
import { ALL_WELL, REHEARSALS, type Rehearsal } from '../rehearsals.ts'
import { alertsPart, expectations } from './alert-list.ts'
import { numbersPart } from './number-tiles.ts'
import { activeIncident, announcement, type State, statePart, titleOf } from './state.ts'
import { clock } from './words.ts'

/** The whole page. */
export function controlPage(state: State): string {
  const { grafanaUrl, statusUrl } = state.links
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<noscript><meta http-equiv="refresh" content="5"></noscript>
<title>${titleOf(state)}</title>
<link rel="stylesheet" href="status.css">
<link rel="stylesheet" href="control.css">
<script src="control.js" defer></script>
</head>
<body data-state="${stateName(state)}">
<header>
<h1>AhaSend rehearsal</h1>
<p class="muted"><span id="live">As of this page load</span> · this server simulates AhaSend and delivers nothing</p>
<nav aria-label="Other pages">${link(statusUrl, 'Status page of the proxy')}${link(grafanaUrl, 'Grafana')}</nav>
</header>
<main>
<section class="answer" aria-labelledby="state-heading">
<div id="state">${statePart(state)}</div>
<form method="post" action="/rehearsals/${ALL_WELL}"><button class="back">Back to normal</button></form>
</section>
<div class="columns">
<section aria-labelledby="alerts-heading"><h2 id="alerts-heading">Alerts</h2><div id="alerts">${alertsPart(state)}</div></section>
<section aria-labelledby="timeline-heading"><h2 id="timeline-heading">What happened so far</h2><div id="timeline">${timelinePart(state)}</div></section>
</div>
<section aria-labelledby="numbers-heading"><h2 id="numbers-heading">Mail at AhaSend</h2><div id="numbers">${numbersPart(state)}</div></section>
<section aria-labelledby="incidents-heading"><h2 id="incidents-heading">Start an incident <span class="muted">ends the active incident</span></h2>
<p class="muted">The name of each alert links to its runbook. The times are for an incident of about 15 minutes; “after the end” counts from “Back to normal”.</p>
${incidentGroups(state)}</section>
</main>
<p id="announcement" role="status" class="hidden">${announcement(state)}</p>
<footer class="muted"><p>To set single faults, with a probability or a number of times, send <code class="inline">PUT /faults/NAME</code>. For the list of faults, open this page with <code class="inline">curl</code>. <a href="ledger">ledger</a></p></footer>
</body>
</html>
`.text
}

/** What an open page replaces. */
export function update(state: State) {
  const parts = {
    state: statePart(state),
    numbers: numbersPart(state),
    alerts: alertsPart(state),
    timeline: timelinePart(state),
  }
  return {
    title: titleOf(state),
    state: stateName(state),
    pressed: activeIncident(state)?.rehearsal.id ?? null,
    announcement: announcement(state),
    parts: Object.fromEntries(Object.entries(parts).map(([id, { text }]) => [id, text])),
  }
}

function stateName(state: State): 'active' | 'normal' {
  return activeIncident(state) !== undefined || state.faults.length > 0 ? 'active' : 'normal'
}

function link(url: string | undefined, text: string): Html | undefined {
  return url === undefined ? undefined : html`<a href="${url}">${text}</a> `
}

function timelinePart({ entries }: State): Html {
  if (entries.length === 0) return html`<p class="card muted">Nothing yet. Start an incident below.</p>`
  const item = ({ at, kind, text }: State['entries'][number]) =>
    html`<li class="${kind}"><time datetime="${new Date(at).toISOString()}">${clock(at)}</time> <span>${text}</span></li>`
  return html`<ol class="card timeline">${entries.map(item)}</ol>`
}

/** The groups of incidents, by the most severe alert. */
const GROUPS = [
  ['critical', 'Wakes the person on call', 'critical'],
  ['warning', 'Needs attention today', 'warning'],
  ['none', 'Notifies no one', undefined],
] as const

function incidentGroups(state: State): Html {
  const incidents = REHEARSALS.filter(({ id }) => id !== ALL_WELL)
  const group = ([id, title, severity]: (typeof GROUPS)[number]) =>
    html`<h3 id="group-${id}">${title}</h3><ul class="incidents" aria-labelledby="group-${id}">${incidents
      .filter((incident) => severityOf(incident) === severity)
      .map((incident) => incidentCard(incident, activeIncident(state)?.rehearsal === incident))}</ul>`
  return html`${GROUPS.map(group)}`
}

function severityOf({ id }: Rehearsal) {
  const severities = (EXPECTED_ALERTS[id] ?? []).map(({ severity }) => severity)
  return severities.includes('critical') ? 'critical' : severities[0]
}

function incidentCard({ id, label, meaning, apps, note }: Rehearsal, pressed: boolean): Html {
  const alerts = EXPECTED_ALERTS[id] ?? []
  return html`<li class="card"><form method="post" action="/rehearsals/${id}"><button aria-pressed="${String(pressed)}" aria-describedby="about-${id}" data-incident="${id}">${label}</button></form>
<div id="about-${id}"><p>${meaning}</p>
<dl><dt>Apps</dt><dd>${apps}</dd><dt>${alerts.length === 1 ? 'Alert' : 'Alerts'}</dt><dd>${alerts.length === 0 ? 'No new alert.' : expectations(alerts)}${note && html` <span class="note">${note}</span>`}</dd></dl></div></li>`
}
