/**
 * The alerts of each incident, and when they fire and resolve if the incident lasts a quarter of an hour. Nothing here is
 * a guess: test/rehearsal/expected-alerts.test.ts plays what a proxy exported during each incident to the generated rules,
 * and fails if other alerts fire, or at other times.
 */
import type { AlertName, Severity } from '../../dashboards/alerts/alert.ts'

/** Seconds: the shortest and the longest time. */
export type Range = readonly [from: number, to: number]

export interface ExpectedAlert {
  readonly name: AlertName
  readonly severity: Severity
  /** From the start of the incident. The more mail was accepted before, the longer. */
  readonly fires: Range
  /** From the end of the incident; or the alert that silences this one. */
  readonly resolves: Range | AlertName
}

const MINUTE = 60

/** An alert, with its times in minutes. */
function alert(name: AlertName, severity: Severity, fires: Range, resolves: Range | AlertName): ExpectedAlert {
  const seconds = ([from, to]: Range): Range => [from * MINUTE, to * MINUTE]
  return {
    name,
    severity,
    fires: seconds(fires),
    resolves: typeof resolves === 'string' ? resolves : seconds(resolves),
  }
}

/** A single event is enough. The time is that of the next scrape and the next evaluation. */
const AT_ONCE: Range = [0, 1]
/** The condition looks back half an hour. */
const HALF_AN_HOUR: Range = [28, 31]

/** Alerts of a burn rate fire again as a warning after an hour, because the budget of three days is spent too fast. */
function later(...names: readonly AlertName[]): readonly ExpectedAlert[] {
  return names.map((name) => alert(name, 'warning', [60, 63], [345, 361]))
}

const BUDGET = 'SmtpProxyErrorBudgetBurning'

/** By the id of the incident. */
export const EXPECTED_ALERTS: Readonly<Record<string, readonly ExpectedAlert[]>> = {
  'account-disabled': [alert('AhaSendAccountDisabled', 'critical', AT_ONCE, HALF_AN_HOUR)],
  'one-521': [alert('AhaSendAccountDisabled', 'critical', AT_ONCE, HALF_AN_HOUR)],
  'load-shedding': [
    alert('AhaSendLoadShedding', 'critical', [1, 3], HALF_AN_HOUR),
    ...later('AhaSendLoadShedding', BUDGET),
  ],
  'internal-error': [
    alert('AhaSendInternalErrors', 'critical', [1, 6], [26, 30]),
    ...later('AhaSendInternalErrors', BUDGET),
  ],
  'temporary-errors': [
    alert('AhaSendTemporaryErrors', 'critical', [1, 7], [26, 30]),
    ...later('AhaSendTemporaryErrors', BUDGET),
  ],
  unreachable: [
    alert(BUDGET, 'critical', [1, 5], 'AhaSendUnreachable'),
    alert('AhaSendUnreachable', 'critical', [6, 8], [0, 1]),
    ...later(BUDGET),
  ],
  'wrong-credentials': [
    alert('AhaSendCredentialsRejected', 'critical', [2, 6], [0, 1]),
    alert('AhaSendCredentialsRejected', 'warning', [2, 5], [28, 31]),
  ],
  'close-after-the-dot': [
    alert('AhaSendMailInDoubt', 'warning', AT_ONCE, HALF_AN_HOUR),
    alert(BUDGET, 'critical', [1, 13], [22, 31]),
    ...later(BUDGET),
  ],
  'slow-replies': [alert('AhaSendSlowFinalReplies', 'warning', [5, 10], [20, 61])],
  'domain-not-configured': [alert('AhaSendDomainNotConfigured', 'warning', AT_ONCE, HALF_AN_HOUR)],
  'message-format': [alert('AhaSendMessageFormatRejected', 'warning', [1, 4], [55, 61])],
  'recipients-rejected': [alert('AhaSendRecipientsRejected', 'warning', [5, 13], [50, 61])],
}
