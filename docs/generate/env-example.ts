/** The generated part of .env.example, which is its end. */
import { type Documented, type Section, wrapped } from '../../settings/documentation.ts'
import { SECTIONS } from './settings.ts'

/** Values that compose.yaml sets when .env does not. */
const IN_COMPOSE: Readonly<Record<string, string>> = {
  PROXY_LISTEN: 'smtp://0.0.0.0:2525,smtp://0.0.0.0:2599?client=probe',
  OTEL_EXPORTER_OTLP_ENDPOINT: 'http://tempo:4318',
}

/** compose.yaml fixes them, so that Prometheus reaches these servers and apps do not reach the admin server. */
const FIXED = new Set(['PROXY_ADMIN', 'PROBE_METRICS'])

const BEGIN = '# --- `npm run docs` writes everything below this line ---\n'

/** The file with its generated part regenerated. Throws if the line that begins the part is missing. */
export function withSettings(text: string): string {
  const at = text.indexOf(BEGIN)
  if (at < 0) throw new Error(`.env.example has no line "${BEGIN.trim()}"`)
  const sections: readonly Section[] = [
    ...SECTIONS.compose,
    ...SECTIONS.alerts,
    ...SECTIONS.proxy,
    ...SECTIONS.opentelemetry.map((section) => ({ ...section, title: `OpenTelemetry: ${section.title}` })),
    ...SECTIONS.probe,
  ]
  const parts = sections.map(({ rows, ...section }) => envExample({ ...section, rows: inCompose(rows) }))
  return `${text.slice(0, at)}${BEGIN}\n${parts.filter((part) => part !== '').join('\n')}`
}

/** The settings as they are in compose.yaml. */
function inCompose(rows: readonly Documented[]): Documented[] {
  return rows
    .filter(({ variable }) => !FIXED.has(variable))
    .map((row) => {
      const value = IN_COMPOSE[row.variable]
      return value === undefined ? row : { ...row, default: value, inImage: value }
    })
}

/** A group: each setting commented out, with the value that it has in the image. Ends in a newline; empty without settings. */
export function envExample({ title, about, rows }: Section): string {
  if (rows.length === 0) return ''
  const entries = rows.map(
    (row) => `${wrapped(row.meaning, '# ', WIDTH)}\n#${row.variable}=${row.inImage ?? row.default}\n`,
  )
  return `# --- ${title} ---\n${wrapped(about, '# ', WIDTH)}\n\n${entries.join('\n')}`
}

const WIDTH = 118
