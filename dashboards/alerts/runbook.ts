import type { Alert } from './alert.ts'
import { RUNBOOKS } from './thresholds.ts'

/** The address of an alert's runbook. */
export function runbookOf(alert: Alert['name']): string {
  return `${RUNBOOKS}${alert}.md`
}
