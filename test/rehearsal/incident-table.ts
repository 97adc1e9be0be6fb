/**
 * The table of incidents in docs/rehearsing.md. `node test/rehearsal/incident-table.ts` writes it; a test fails when it is
 * out of date.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { resolvesText } from '../simulator/control/alert-list.ts'
import { rangeText } from '../simulator/control/words.ts'
import { EXPECTED_ALERTS, type ExpectedAlert } from '../simulator/expected-alerts.ts'
import { ALL_WELL, REHEARSALS, type Rehearsal } from '../simulator/rehearsals.ts'

const PAGE = join(import.meta.dirname, '../../docs/rehearsing.md')
const BEGIN = '<!-- incidents: written by `node test/rehearsal/incident-table.ts` -->\n'
const END = '<!-- /incidents -->'

/** The page as it is on disk. */
export function readPage(): string {
  return readFileSync(PAGE, 'utf8')
}

/** The page with a new table. Throws when the comments around the table are missing. */
export function withTable(page: string): string {
  const [from, to] = [page.indexOf(BEGIN), page.indexOf(END)]
  if (from < 0 || to < from) throw new Error('docs/rehearsing.md has no table of incidents')
  return `${page.slice(0, from)}${BEGIN}${table()}${page.slice(to)}`
}

function table(): string {
  const rows = REHEARSALS.filter(({ id }) => id !== ALL_WELL).map(rowOf)
  return `| incident | what apps see | alerts |\n|---|---|---|\n${rows.join('\n')}\n`
}

function rowOf({ id, label, apps, note }: Rehearsal): string {
  const alerts = EXPECTED_ALERTS[id] ?? []
  const lines = alerts.length === 0 ? `No new alert. ${note ?? ''}` : alerts.map(alertLine).join('<br>')
  return `| **${label}** | ${apps} | ${lines} |`
}

function alertLine({ name, severity, fires, resolves }: ExpectedAlert): string {
  const runbook = `[${name}](../dashboards/runbooks/${name}.md)`
  return `${runbook} (${severity}) fires ${rangeText(fires)}, ${resolvesText(resolves)}.`
}

if (import.meta.main) writeFileSync(PAGE, withTable(readPage()))
