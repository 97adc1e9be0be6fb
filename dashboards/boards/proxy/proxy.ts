/** The dashboard about the proxy itself. */
import { dashboards } from '../../alerts/alert.ts'
import { dashboard } from '../dashboard.ts'
import { operation } from './operation.ts'
import { resources } from './resources.ts'
import { summary } from './summary.ts'

export const proxy = dashboard({
  uid: dashboards.proxy,
  title: 'AhaSend: the proxy itself',
  question: 'Is the proxy healthy, and is its telemetry complete?',
  rows: [summary, operation, resources],
})
