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
  const rows = REHEARSALS.filter(({ id }) => id !== ALL_WELL).flatMap(rowsOf)
  return `| incident | what apps see | alert | fires | resolves |\n|---|---|---|---|---|\n${rows.join('\n')}\n`
}

/** One row for each alert. */
function rowsOf({ id, label, apps, note }: Rehearsal): readonly string[] {
  const alerts = EXPECTED_ALERTS[id] ?? []
  const about = `**${label}** | ${apps}`
  if (alerts.length === 0) return [`| ${about} | no new alert. ${note ?? ''} | | |`]
  return alerts.map((alert, index) =>
    `| ${index === 0 ? about : '|'} | ${alertCells(alert)} |`.replace('| | |', '| | |'),
  )
}

function alertCells({ name, severity, fires, resolves }: ExpectedAlert): string {
  const runbook = `[${name}](../dashboards/runbooks/${name}.md)`
  return `${runbook}, ${severity} | ${rangeText(fires)} | ${resolvesText(resolves).replace(/^resolves /, '')}`
}

if (import.meta.main) writeFileSync(PAGE, withTable(readPage()))
