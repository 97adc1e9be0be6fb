/** Where failures find more help: every link of the `check` command. */
import { RUNBOOKS } from '../../../otel/names/meanings.ts'

const REPOSITORY = 'https://github.com/AhaSend/ahasend-smtp-proxy/blob/main/'

/** The pages of docs/ that failures name. */
export const HELP = {
  settings: `${REPOSITORY}docs/configuration.md`,
  certificates: `${REPOSITORY}docs/tls.md`,
  telemetry: `${REPOSITORY}docs/telemetry.md`,
  other: `${REPOSITORY}docs/troubleshooting.md`,
} as const

/** The URL of the runbook of an alert. */
export function runbook(alert: string): string {
  return `${RUNBOOKS}${alert}.md`
}
