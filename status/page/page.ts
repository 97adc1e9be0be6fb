/** The status page as HTML. It is complete without JavaScript and loads nothing from elsewhere. */
import { actors } from '../../otel/names/meanings.ts'
import type { Flowing, NextStep } from '../flow.ts'
import type { Instance, StatusReport, Summary } from '../report.ts'
import { type Chart, stackedBars } from './chart.ts'
import { type Html, html } from './html.ts'
import { count, duration, percent, uptime } from './numbers.ts'
import { appCell, failures, limits, refusedClients, replies, runbookLink, tlsFailures, upstreams } from './tables.ts'

/** The answer as a word, with the sign that tells it apart without its color. */
const WORDS: Readonly<Record<Flowing, { readonly word: string; readonly sign: string }>> = {
  yes: { word: 'Yes', sign: '✓' },
  partly: { word: 'Partly', sign: '!' },
  no: { word: 'No', sign: '✕' },
  idle: { word: 'No traffic', sign: '–' },
  draining: { word: 'Stopping', sign: '–' },
}

/** The whole page. */
export function statusPage(report: StatusReport): string {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>${titleOf(report)}</title>
<link rel="stylesheet" href="uplot.css">
<link rel="stylesheet" href="status.css">
<script src="uplot.js" defer></script>
<script src="status.js" defer></script>
</head>
<body>
<header>
<h1>ahasend-smtp-proxy <span class="muted">${report.version}</span></h1>
<p class="muted"><span id="live">As of this page load</span> · up for ${uptime((report.now - report.startedAt) / 1000)}</p>
</header>
<main>${statusContent(report)}</main>
<p id="announcement" role="status" class="hidden"></p>
<footer class="muted"><a href="status.json">status.json</a> <a href="metrics">metrics</a> <a href="livez">livez</a> <a href="readyz">readyz</a></footer>
</body>
</html>
`.text
}

/** For the tab: the answer first. */
export function titleOf({ flow }: StatusReport): string {
  return `${WORDS[flow.flowing].word} – is mail flowing? – ahasend-smtp-proxy`
}

/** What changes while the page is open. */
export function statusContent(report: StatusReport): Html {
  return html`
<section class="answer ${report.flow.flowing}" aria-labelledby="flowing">
<h2 id="flowing">Is mail flowing?</h2>
<p class="word"><span class="sign" aria-hidden="true">${WORDS[report.flow.flowing].sign}</span> ${WORDS[report.flow.flowing].word}</p>
<p class="reason" id="reason">${report.flow.reason}</p>
${report.flow.next && nextStep(report.flow.next)}
<p class="muted">${instanceLine(report.instance)}</p>
</section>
${tiles(report)}
${charts(report)}
${apps(report)}
${failures(report)}
${refusedClients(report)}
${replies(report)}
${upstreams(report)}
${tlsFailures(report)}
${limits(report)}
<details id="changes"><summary>What the proxy changes</summary><ul>${report.changes.map((change) => html`<li>${change}</li>`)}</ul></details>`
}

function nextStep({ actor, action, runbook }: NextStep): Html {
  const link = runbook && html` Runbook: ${runbookLink(runbook)}`
  return html`<p class="next"><span class="muted">Who must act:</span> <b>${actor === actors.retry ? actors.noOne : actor}</b>. ${action}${link}</p>`
}

/** Which proxy this is: the page of one proxy says nothing about the others. */
function instanceLine({ host, id }: Instance): Html {
  const name = id === undefined ? undefined : html` (instance ${id})`
  return html`This page covers only the proxy on host <b>${host}</b>${name}. If you run several proxies, each has its own page.`
}

function tiles({ total, now, limits: { sessions } }: StatusReport): Html {
  const { accepted, in_doubt } = total.outcomes
  const share = acceptedShare(total)
  const items = [
    ['Accepted', count(accepted), share === undefined ? 'no messages' : `${percent(share)} of messages`],
    [
      'Failed',
      count(failed(total)),
      `${count(total.outcomes.tempfail)} temporary, ${count(total.outcomes.permfail)} permanent`,
    ],
    ['In doubt', count(in_doubt), 'sent in full, never confirmed'],
    ['Refused before a message', count(total.refusedSessions), `of ${count(total.sessions)} sessions`],
    ['Time to the final reply', duration(total.p50), `99 of 100 within ${duration(total.p99)}`],
    ['Open sessions', count(sessions), 'now'],
  ] as const
  const tile = ([name, value, detail]: (typeof items)[number]) =>
    html`<div><dt>${name}</dt><dd><b>${value}</b> <span class="muted">${detail}</span></dd></div>`
  return html`<section aria-labelledby="hour"><h2 id="hour">The last 60 minutes <span class="muted">until ${new Date(now).toISOString().slice(11, 16)} UTC</span></h2><dl class="tiles">${items.map(tile)}</dl></section>`
}

/** Of messages that AhaSend decided on or that were lost; messages that apps gave up do not count. */
function acceptedShare(total: Summary): number | undefined {
  const decided = total.outcomes.accepted + failed(total) + total.outcomes.in_doubt
  return decided === 0 ? undefined : total.outcomes.accepted / decided
}

function failed({ outcomes }: Summary): number {
  return outcomes.tempfail + outcomes.permfail
}

function charts(report: StatusReport): Html {
  return html`<div class="charts">${chartsOf(report).map(stackedBars)}</div>`
}

/** The data of the charts. */
export function chartsOf({ minutes }: StatusReport): readonly Chart[] {
  const times = minutes.map(({ at }) => at)
  const messages = {
    id: 'messages',
    title: 'Messages by outcome',
    times,
    series: [
      { name: 'accepted', className: 'good', values: minutes.map(({ outcomes }) => outcomes.accepted) },
      { name: 'given up by the app', className: 'neutral', values: minutes.map(({ outcomes }) => outcomes.aborted) },
      { name: 'temporarily refused', className: 'warn', values: minutes.map(({ outcomes }) => outcomes.tempfail) },
      { name: 'permanently refused', className: 'bad', values: minutes.map(({ outcomes }) => outcomes.permfail) },
      { name: 'in doubt', className: 'doubt', values: minutes.map(({ outcomes }) => outcomes.in_doubt) },
    ],
  }
  const refusals = {
    id: 'refusals',
    title: 'Refusals by code',
    times,
    series: [
      { name: '421 except idle', className: 'warn', values: minutes.map(({ turnedAway }) => turnedAway) },
      {
        name: 'other 4xx',
        className: 'neutral',
        values: minutes.map(({ replies: all, turnedAway }) => Math.max(0, all['4'] - turnedAway)),
      },
      { name: '5xx except 503', className: 'bad', values: minutes.map(({ replies: all }) => all['5']) },
    ],
  }
  return [messages, refusals]
}

function apps({ apps: all }: StatusReport): Html {
  if (all.length === 0) return html`<p class="muted">No app has connected in the last 60 minutes.</p>`
  const rows = all.map(
    (app) =>
      html`<tr><th scope="row">${appCell(app.app)}</th><td>${count(app.outcomes.accepted)}</td><td>${percent(acceptedShare(app))}</td><td>${count(app.outcomes.tempfail)}</td><td>${count(app.outcomes.permfail)}</td><td>${count(app.outcomes.in_doubt)}</td><td>${count(app.refusedSessions)}</td><td>${duration(app.p50)}</td><td>${duration(app.p99)}</td><td>${count(app.sessions)}</td></tr>`,
  )
  return html`<section><h2 id="apps">Apps</h2><div class="scroll" tabindex="0" role="region" aria-labelledby="apps"><table class="numbers">
<thead><tr><th scope="col">App</th><th scope="col">Accepted</th><th scope="col">Share</th><th scope="col">Temporary failures</th><th scope="col">Permanent failures</th><th scope="col">In doubt</th><th scope="col">Refused before a message</th><th scope="col">Final reply, p50</th><th scope="col">p99</th><th scope="col">Sessions</th></tr></thead>
<tbody>${rows}</tbody></table></div></section>`
}
