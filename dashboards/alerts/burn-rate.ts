import { joined } from '../promql/expressions.ts'
import type { Count, RuleMaker } from '../promql/rule-maker.ts'
import { type BurnRate, ENOUGH_ERRORS, OBJECTIVE } from './thresholds.ts'

/** A share of attempts that fail. */
export interface ErrorShare {
  /** In snake case. */
  readonly what: string
  readonly bad: Count
  /** All attempts: PromQL with the same labels as `bad`, as a function of the window in seconds. */
  readonly total: (window: number) => string
}

/**
 * The share of errors over the long window, if errors burn the budget at one of these rates in both windows, and if there
 * are at least ENOUGH_ERRORS.
 */
export function burnsAt(make: RuleMaker, share: ErrorShare, rates: readonly BurnRate[]): string {
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

function ratio(make: RuleMaker, { what, bad, total }: ErrorShare, window: number): string {
  return make.record(`${what}_ratio:increase`, bad.by, window, `${make.count(bad, window)}\n/\n${total(window)}`)
}
