/** Graphs of refusals per minute. */
import type { GroupKey } from '../names.ts'
import { refusedPerMinute } from '../promql/mail.ts'
import { type Events, events } from './graphs.ts'
import { type Panel, sumBy } from './panels.ts'

export interface RefusalGraph extends Omit<Events, 'queries' | 'noValue'> {
  /** The labels whose values distinguish and name the series. */
  readonly by: readonly GroupKey[]
}

/** Refusals by labels. A click on a series offers the links in `dataLinks`. */
export function refusalGraph({ by, ...spec }: RefusalGraph): Panel {
  return events({ ...spec, queries: [sumBy(refusedPerMinute(), ...by)], noValue: 'No refusals seen' })
}
