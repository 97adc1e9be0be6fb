/** The tables of the status page. */
import { RUNBOOKS } from '../../otel/names/meanings.ts'
import { ago } from '../flow.ts'
import type { ExplainedFailure, StatusReport } from '../report.ts'
import type { UpstreamReport } from '../upstreams.ts'
import { type Html, html } from './html.ts'
import { clock, count, daysUntil, duration, percent } from './numbers.ts'

interface Table {
  readonly id: string
  readonly title: string
  readonly columns: readonly string[]
  readonly rows: readonly Html[]
  /** Shown in place of a table without rows. */
  readonly empty: string
}

function table({ id, title, columns, rows, empty }: Table): Html {
  if (rows.length === 0)
    return html`<section aria-labelledby="${id}"><h2 id="${id}">${title}</h2><p class="muted">${empty}</p></section>`
  const head = columns.map((column) => html`<th scope="col">${column}</th>`)
  return html`<section><h2 id="${id}">${title}</h2>
<div class="scroll ${id}-rows" tabindex="0" role="region" aria-labelledby="${id}"><table class="${id}"><thead><tr>${head}</tr></thead><tbody>${rows}</tbody></table></div></section>`
}

/** The name of an app; `other` are those without one. */
export function appCell(app: string): Html | string {
  if (app !== 'other') return app
  return html`<span class="nowrap" title="Name them with PROXY_CLIENTS">apps without a name</span>`
}

/** The last refusals and failures, the newest first. */
export function failures({ failures: all }: StatusReport): Html {
  return table({
    id: 'failures',
    title: 'Last refusals and failures',
    columns: [
      'Time, UTC',
      'App and client',
      'Command',
      'Reply',
      'What it means',
      'Who must act',
      'Runbook',
      'Trace or session',
    ],
    rows: all.map(failureRow),
    empty: 'None since the start.',
  })
}

function failureRow(failure: ExplainedFailure): Html {
  const reply = failure.code === undefined ? failure.error : `${failure.code} ${failure.enhancedCode ?? ''}`
  const outcome = failure.outcome === 'in_doubt' ? html` <span class="tag doubt">in doubt</span>` : undefined
  const sender = failure.sender === undefined ? undefined : html` <span class="muted">from ${failure.sender}</span>`
  return html`<tr><td class="nowrap">${clock(failure.at)}</td><td>${appCell(failure.app)} <span class="muted nowrap">${failure.client}</span>${sender}</td><td>${failure.command ?? '–'}</td><td class="nowrap"><b>${reply}</b>${outcome}</td><td title="${failure.meaning}. ${failure.action}">${failure.brief}</td><td class="nowrap">${failure.actor}</td><td>${runbookLink(failure.runbook)}</td><td><code>${failure.traceId ?? failure.sessionId}</code></td></tr>`
}

/** A link is followed only when the reader clicks it: the page itself loads nothing from elsewhere. */
export function runbookLink(runbook: string | undefined): Html | string {
  if (runbook === undefined) return '–'
  return html`<a href="${RUNBOOKS}${runbook}.md" rel="noreferrer">${runbook}</a>`
}

/** The clients that the proxy itself refused. Nothing when there are none. */
export function refusedClients({ refusedClients: { clients, further } }: StatusReport): Html | undefined {
  if (clients.length === 0) return undefined
  const rows = clients.map(
    ({ client, app, why, setting, count: times, lastAt }) =>
      html`<tr><th scope="row" class="nowrap">${client}</th><td>${appCell(app)}</td><td>${count(times)}</td><td class="nowrap">${clock(lastAt)}</td><td class="wide">${why}</td><td>${settingNames(setting)}</td></tr>`,
  )
  const others = further === 0 ? '' : ` ${count(further)} refusals of other clients are not listed.`
  const isHidden = clients.some(({ client }) => client.includes('/'))
  const hint = isHidden ? ' To see addresses instead of networks, set PROXY_RECORD_ADDRESSES=domain.' : ''
  const all = table({
    id: 'refused',
    title: 'Clients that the proxy refused',
    columns: ['Client', 'App', 'Times', 'Last, UTC', 'Why', 'Setting to change'],
    rows,
    empty: '',
  })
  return html`${all}<p class="muted">Since the start.${hint}${others}</p>`
}

/** Names of settings, each on a line of its own. */
function settingNames(setting: string): Html[] {
  return setting.split(', ').map((name) => html`<code>${name}</code> `)
}

/** The refusals of the last 60 minutes. */
export function replies({ replies: all }: StatusReport): Html {
  const refusals = all.filter(({ code }) => code >= 400)
  return table({
    id: 'replies',
    title: 'Refusals by code and cause',
    columns: ['Code', 'Cause', 'Count', 'What it means', 'Who must act'],
    rows: refusals.map(
      ({ code, cause, count: times, meaning, actor }) =>
        html`<tr><td><b>${code}</b></td><td>${cause}</td><td>${count(times)}</td><td class="wide">${meaning}</td><td>${actor}</td></tr>`,
    ),
    empty: 'No reply was a refusal in the last 60 minutes.',
  })
}

export function upstreams({ upstreams: all, now }: StatusReport): Html {
  return table({
    id: 'upstreams',
    title: 'Upstreams',
    columns: ['Server', 'Last dial', 'Result', 'Certificate'],
    rows: all.map((upstream) => upstreamRow(upstream, now)),
    empty: '',
  })
}

function upstreamRow(upstream: UpstreamReport, now: number): Html {
  const { server, last, reachedAt, certificateNotAfter } = upstream
  const reached = reachedAt === undefined ? 'never reached' : `last reached ${ago(now - reachedAt)}`
  const result = !last
    ? html`<span class="muted">not dialled yet</span>`
    : last.ok
      ? html`<span class="tag good">reached</span> in ${duration(last.milliseconds)}`
      : html`<span class="tag bad">failed</span> ${last.explanation} <span class="muted">(${last.error}${last.detail ? `, ${last.detail}` : ''}; ${reached})</span>`
  const days = certificateNotAfter === undefined ? undefined : daysUntil(certificateNotAfter, now)
  return html`<tr><th scope="row">${server}</th><td class="nowrap">${last ? ago(now - last.at) : '–'}</td><td class="wide">${result}${lookupFailure(upstream, now)}</td><td class="nowrap">${days === undefined ? '–' : certificateText(days)}</td></tr>`
}

/** Mail flows while the last good answer is used, so a row may have both: reached, and that DNS fails. */
function lookupFailure({ lookup }: UpstreamReport, now: number): Html | string {
  if (!lookup) return ''
  const answer = lookup.answeredAt === undefined ? 'no earlier answer' : `last answer ${ago(now - lookup.answeredAt)}`
  return html` <span class="tag bad">DNS fails</span> ${lookup.explanation} <span class="muted">(${lookup.error}; ${answer})</span>`
}

function certificateText(days: number): string {
  return days < 0 ? 'expired' : `expires in ${days} days`
}

/** Nothing when every app entered TLS. */
export function tlsFailures({ tlsFailures: all }: StatusReport): Html | undefined {
  if (all.length === 0) return undefined
  return table({
    id: 'tls',
    title: 'TLS failures of apps',
    columns: ['App', 'Count', 'What happened, and what to do', 'Reason'],
    rows: all.map(
      ({ app, count: times, explanation, error }) =>
        html`<tr><th scope="row">${appCell(app)}</th><td>${count(times)}</td><td class="wide">${explanation}</td><td><code>${error}</code></td></tr>`,
    ),
    empty: '',
  })
}

/** How close the proxy is to its own limits, where it listens, and settings that may be mistakes. */
export function limits({ limits: own, loops, listeners, warnings }: StatusReport): Html {
  const busiest = Math.max(0, ...loops.map(({ busy }) => busy))
  const slowest = Math.max(0, ...loops.map(({ delay }) => delay))
  const files =
    own.openFiles === undefined
      ? 'not known'
      : `${count(own.openFiles)} of ${own.maxOpenFiles === undefined ? 'unlimited' : count(own.maxOpenFiles)}`
  const warned = warnings.map((warning) => html`<li>${warning}</li>`)
  return html`<section aria-labelledby="proxy"><h2 id="proxy">The proxy itself</h2>
<dl class="facts">
<div><dt>Sessions</dt><dd>${count(own.sessions)} of ${count(own.maxSessions)}</dd></div>
<div><dt>Open files</dt><dd>${files}</dd></div>
<div><dt>Busiest event loop</dt><dd>${percent(busiest)}, delayed by up to ${duration(slowest * 1000)} in the last second</dd></div>
<div><dt>Listens on</dt><dd>${listeners.join(', ')}</dd></div>
</dl>
${warned.length > 0 ? html`<h3>Settings to check</h3><ul class="warnings">${warned}</ul>` : undefined}</section>`
}
