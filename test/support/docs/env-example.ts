/** Writes the generated part of .env.example: `npm run readme`. A test fails when it is out of date. */
import { readFileSync, writeFileSync } from 'node:fs'
import { PROBE_ROWS } from '../../../app/probe/settings.ts'
import { ALERT_ROWS } from '../../../dashboards/alertmanager/settings.ts'
import { STACK_SECTIONS } from '../../../dashboards/alertmanager/stack-variables.ts'
import { OTEL_ROWS } from '../../../otel/settings/table.ts'
import { ROWS } from '../../../proxy/settings/table.ts'
import { type Documented, envExample } from '../../../settings/documentation.ts'

const ENV_EXAMPLE = new URL('../../../.env.example', import.meta.url)

/** Values that compose.yaml sets when .env does not. */
const IN_COMPOSE: Readonly<Record<string, string>> = {
  PROXY_LISTEN: 'smtp://0.0.0.0:2525,smtp://0.0.0.0:2599?client=probe',
  OTEL_EXPORTER_OTLP_ENDPOINT: 'http://tempo:4318',
}

/** Prometheus and the health checks expect these servers at the image's addresses. */
const FIXED = new Set(['PROXY_ADMIN', 'PROBE_METRICS'])

const BEGIN = '# --- `npm run readme` writes everything below this line ---\n'

/** The file as it is on disk. */
export function readEnvExample(): string {
  return readFileSync(ENV_EXAMPLE, 'utf8')
}

/**
 * The file with its generated part, which is its end, regenerated. Throws if the line that begins the part is missing.
 */
export function withSettings(text: string): string {
  const at = text.indexOf(BEGIN)
  if (at < 0) throw new Error(`.env.example has no line "${BEGIN.trim()}"`)
  const parts = [
    ...STACK_SECTIONS.map(({ title, rows }) => envExample(title, rows)),
    envExample('Receivers of alerts: until you set one, no one is notified', ALERT_ROWS),
    envExample('The proxy', inCompose(ROWS)),
    envExample("The proxy's telemetry", inCompose(OTEL_ROWS)),
    envExample('The probe: starts only with `docker compose --profile probe up -d --wait`', inCompose(PROBE_ROWS)),
  ]
  return `${text.slice(0, at)}${BEGIN}\n${parts.join('\n')}`
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

if (import.meta.main) writeFileSync(ENV_EXAMPLE, withSettings(readEnvExample()))
