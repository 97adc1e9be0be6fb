/** The reference of settings, from the tables that the programs read them with. */
import { PROBE_ROWS } from '../../app/probe/settings.ts'
import { ALERT_SECTION } from '../../dashboards/alertmanager/settings.ts'
import { STACK_SECTIONS } from '../../dashboards/alertmanager/stack-variables.ts'
import { GROUPS as OTEL_GROUPS } from '../../otel/settings/general.ts'
import { OTEL_ROWS } from '../../otel/settings/table.ts'
import { GROUPS as PROXY_GROUPS, ROWS as PROXY_ROWS } from '../../proxy/settings/table.ts'
import { type Documented, type Section, sectionsOf } from '../../settings/documentation.ts'
import { code, lines, table } from './markdown.ts'
import type { Parts } from './parts.ts'

const PROBE_SECTION: Section = {
  title: 'The probe',
  about: 'The probe starts only with `docker compose --profile probe up -d --wait`.',
  rows: PROBE_ROWS,
}

/** The settings of each program, by the name of their part of the page. */
export const SECTIONS = {
  proxy: sectionsOf(PROXY_GROUPS, PROXY_ROWS),
  opentelemetry: sectionsOf(OTEL_GROUPS, OTEL_ROWS),
  probe: [PROBE_SECTION],
  alerts: [ALERT_SECTION],
  compose: STACK_SECTIONS,
} as const satisfies Readonly<Record<string, readonly Section[]>>

/** The parts of docs/configuration.md. */
export function settingsParts(): Parts {
  return {
    proxy: SECTIONS.proxy.map(section).join('\n'),
    opentelemetry: SECTIONS.opentelemetry.map(section).join('\n'),
    // one group each: its heading is that of the page
    alerts: settingsTable(ALERT_SECTION.rows),
    probe: settingsTable(PROBE_ROWS),
    compose: SECTIONS.compose.map(section).join('\n'),
  }
}

function section({ title, about, rows }: Section): string {
  return `### ${title}\n\n${about}\n\n${settingsTable(rows)}`
}

/** A table of settings. A default stands below its setting, where it does not make the table wider. */
export function settingsTable(rows: readonly Documented[]): string {
  return table(
    ['setting, default', 'meaning'],
    rows.map((row) => [
      lines(code(row.variable), ...(isLong(row.default) ? [] : defaults(row))),
      lines(row.meaning, ...(isLong(row.default) ? [`Default: ${list(row.default)}`] : [])),
    ]),
  )
}

function defaults({ default: byDefault, inImage }: Documented): string[] {
  if (byDefault === '') return []
  return [code(byDefault), ...(inImage === undefined ? [] : [`image: ${code(inImage)}`])]
}

/** The longest name of a setting has 49 characters: a default of that length fits below it. */
function isLong(value: string): boolean {
  return value.length > 49
}

/** A long list, so that it can wrap. */
function list(value: string): string {
  return value.split(',').map(code).join(', ')
}
