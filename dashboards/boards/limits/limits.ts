/** The dashboard about connections to AhaSend and AhaSend's limits. */
import { dashboards } from '../../alerts/alert.ts'
import { dashboard } from '../dashboard.ts'
import { connections } from './connections.ts'
import { messages } from './messages.ts'
import { summary } from './summary.ts'

export const limits = dashboard({
  uid: dashboards.limits,
  title: 'AhaSend: connections and limits',
  question: "Are connections to AhaSend fast and stable, and how close is the traffic to AhaSend's limits?",
  rows: [summary, connections, messages],
})
