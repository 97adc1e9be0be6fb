/** Writes the generated part of .env.example: `npm run readme`. A test fails when it is out of date. */
import { readFileSync, writeFileSync } from 'node:fs'
import { ALERT_ROWS } from '../../dashboards/alertmanager/settings.ts'
import { OTEL_ROWS } from '../../otel/settings/table.ts'
import { SETTINGS } from '../../proxy/settings/table.ts'
import type { Documented } from '../../settings/tables.ts'

const ENV_EXAMPLE = new URL('../../.env.example', import.meta.url)

/** Values that compose.yaml sets if .env does not. */
const IN_COMPOSE: Readonly<Record<string, string>> = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://tempo:4318' }

/** Prometheus and the health check expect the admin server at the image's address. */
const FIXED = new Set(['PROXY_ADMIN'])

const BEGIN = '# --- `npm run readme` writes everything below this line ---\n'
const WIDTH = 118

/** The file as it is on disk. */
export function readEnvExample(): string {
  return readFileSync(ENV_EXAMPLE, 'utf8')
}

/** The file with its generated part, which is its end, regenerated. Throws if the line that begins the part is missing. */
export function withSettings(text: string): string {
  const at = text.indexOf(BEGIN)
  if (at < 0) throw new Error(`.env.example has no line "${BEGIN.trim()}"`)
  const parts = [
    part('Receivers of alerts: until you set one, no one is notified', ALERT_ROWS),
    part('The proxy', Object.values(SETTINGS)),
    part("The proxy's telemetry", OTEL_ROWS),
  ]
  return `${text.slice(0, at)}${BEGIN}\n${parts.join('\n')}`
}

function part(title: string, rows: readonly Documented[]): string {
  const entries = rows.filter(({ variable }) => !FIXED.has(variable)).map(entry)
  return `# --- ${title} ---\n\n${entries.join('\n')}`
}

function entry(row: Documented): string {
  const value = IN_COMPOSE[row.variable] ?? row.inImage ?? row.default
  return `${wrapped(row.meaning.replaceAll('`', ''))}\n#${row.variable}=${value}\n`
}

function wrapped(text: string): string {
  const lines = ['#']
  for (const word of text.split(' ')) {
    const longer = `${lines.at(-1)} ${word}`
    if (longer.length <= WIDTH) lines[lines.length - 1] = longer
    else lines.push(`# ${word}`)
  }
  return lines.join('\n')
}

if (import.meta.main) writeFileSync(ENV_EXAMPLE, withSettings(readEnvExample()))
