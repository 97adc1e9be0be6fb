import { RUNBOOKS } from '../../otel/names/meanings.ts'
import type { Alert } from './alert.ts'

/** The address of an alert's runbook. */
export function runbookOf(alert: Alert['name']): string {
  return `${RUNBOOKS}${alert}.md`
}
