/** Alerts that fire when failures spend the error budget too fast. */
import { HOUR, MINUTE } from '../promql/durations.ts'
import { joined } from '../promql/expressions.ts'
import type { Count, RuleMaker } from '../promql/rule-maker.ts'
import type { Alert } from './alert.ts'
import { BURN_RATES, type BurnRate, ENOUGH_ERRORS, OBJECTIVE } from './thresholds.ts'

/** A share of attempts that fail. */
export interface ErrorShare {
  /** In snake case. */
  readonly what: string
  readonly bad: Count
  /** All attempts: PromQL with the same labels as `bad`, as a function of the window in seconds. */
  readonly total: (window: number) => string
}

/** One alert for each severity in the table of burn rates. */
export function burnRateAlerts(
  make: RuleMaker,
  share: ErrorShare,
  texts: Pick<Alert, 'name' | 'summary' | 'description' | 'panel'>,
): Alert[] {
  const at = (severity: Alert['severity'], wait: number): Alert => {
    const rates = BURN_RATES.filter((rate) => rate.severity === severity)
    return { ...texts, severity, expr: burnsAt(make, share, rates), for: wait }
  }
  return [at('critical', MINUTE), at('warning', HOUR)]
}

/**
 * The share of errors over the long window, if errors burn the budget at one of these rates in both windows, and if there
 * are at least ENOUGH_ERRORS.
 */
function burnsAt(make: RuleMaker, share: ErrorShare, rates: readonly BurnRate[]): string {
  const conditions = rates.map(({ factor, long, short }) => {
    const limit = Number((factor * (1 - OBJECTIVE)).toPrecision(6))
    return joined(
      'and',
      `${ratio(make, share, long)} > ${limit}`,
      `${ratio(make, share, short)} > ${limit}`,
      `${make.count(share.bad, long)} >= ${ENOUGH_ERRORS}`,
    )
  })
  return joined('or', ...conditions)
}

/** The share of errors in a window, in seconds. It is recorded: each burn rate uses it. */
function ratio(make: RuleMaker, { what, bad, total }: ErrorShare, window: number): string {
  return make.record(`${what}_ratio:increase`, bad.by, window, `${make.count(bad, window)}\n/\n${total(window)}`)
}
