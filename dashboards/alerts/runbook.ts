import type { Alert } from './alert.ts'
import { RUNBOOKS } from './thresholds.ts'

/** Where the runbook of an alert is read. */
export function runbookOf(alert: Alert['name']): string {
  return `${RUNBOOKS}${alert}.md`
}
