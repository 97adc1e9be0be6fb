/** The dashboard about mail as a whole. */
import { dashboards } from '../../alerts/alert.ts'
import { dashboard } from '../dashboard.ts'
import { apps } from './apps.ts'
import { failures } from './failures.ts'
import { summary } from './summary.ts'

export const mailHealth = dashboard({
  uid: dashboards.mail,
  title: 'AhaSend: mail health',
  question: 'Is mail flowing? If not, since when does it fail, how, and for which apps?',
  rows: [summary, failures, apps],
})
