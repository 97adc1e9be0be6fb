/** What `npm run rehearsal` prints: what to open, one line of progress, and a summary. */
import type { ProxyChild } from '../demo/proxy.ts'
import type { IncidentLog } from '../simulator/control/incident-log.ts'
import { clock, rangeText, timeSpan } from '../simulator/control/words.ts'
import { EXPECTED_ALERTS } from '../simulator/expected-alerts.ts'
import type { Simulator } from '../simulator/simulator.ts'
import type { AppsMail } from './apps-mail.ts'
import type { Monitoring } from './monitoring.ts'

/** The incident that the introduction recommends. */
const FIRST = 'account-disabled'

interface Started {
  readonly simulator: Simulator
  readonly proxy: ProxyChild
  readonly named: boolean
  /** Why no alert can fire. */
  readonly missing: string | undefined
  readonly monitoring: Monitoring | undefined
}

function number(value: number): string {
  return value.toLocaleString('en-US')
}

/** What runs where, and what to do first. */
export function introduction({ simulator, proxy, named, missing, monitoring }: Started): string {
  const [first] = EXPECTED_ALERTS[FIRST] ?? []
  const fires = missing === undefined ? ` ${first?.name} fires ${rangeText(first?.fires ?? [0, 0])}.` : ''
  const alerts =
    missing === undefined
      ? `Prometheus ${monitoring?.prometheusUrl()}, Alertmanager ${monitoring?.alertmanagerUrl}`
      : `none: ${missing}`
  const apps = named
    ? 'shop, billing, newsletter and reports'
    : 'four apps without names (this machine has no 127.0.0.2)'
  return `control page  http://127.0.0.1:${simulator.httpPort}/
proxy         smtp://127.0.0.1:${proxy.port} (user app, password secret)
status page   http://127.0.0.1:${proxy.adminPort}/
alerts        ${alerts}
mail          ${apps}: about six messages per second; none is delivered

1. Open the control page and the status page.
2. On the control page, press “521 account disabled”. The status page shows No immediately.${fires}
3. Open the runbook of the alert from the control page. Then press “Back to normal”.
`
}

/** One line of progress. */
export function progress(elapsedMs: number, log: IncidentLog, accepted: number): string {
  const { incident, numbers, watch } = log
  const active = incident?.until === undefined ? incident : undefined
  const state = active ? `“${active.rehearsal.label}” for ${timeSpan(Date.now() - active.since)}` : 'normal'
  const firing = watch.alerts.filter(({ resolvedAt }) => resolvedAt === undefined).map(({ name }) => name)
  return [
    timeSpan(elapsedMs),
    state,
    `${number(accepted)} accepted`,
    `${number(numbers.refused + numbers.connectionsRefused + numbers.loginsRefused)} refused`,
    ...(firing.length > 0 ? [`firing: ${firing.join(', ')}`] : []),
  ].join(' · ')
}

/** What the rehearsal did. */
export function summary({ ledger, incidents }: Simulator, apps: AppsMail): string {
  const { messages } = ledger.summary()
  const results = apps.results.map(({ name, accepted, failed }) => {
    const failures = [...failed].map(([code, count]) => `${code} × ${number(count)}`).join(', ') || 'none'
    return `  ${name.padEnd(10)}  ${number(accepted).padStart(7)} accepted, failed: ${failures}`
  })
  const entries = incidents.entries.toReversed().map(({ at, text }) => `  ${clock(at)}  ${text}`)
  return `
AhaSend accepted ${number(messages.accepted)}, and the simulated apps received ${number(apps.accepted)} acceptances.
${results.join('\n')}

What happened
${entries.join('\n') || '  No incident was started.'}
`
}
