/** The third row: the apps and the outcomes of their mail. */
import * as units from '@grafana/grafana-foundation-sdk/units'
import { dashboards } from '../../alerts/alert.ts'
import { dashboardLink, variable } from '../../panels/links.ts'
import { cell, table } from '../../panels/tables.ts'
import { acceptedShare, ended, REFUSED_TEMPORARILY, turnedAway } from '../../promql/mail.ts'
import { growth, RANGE, sum } from '../../promql/queries.ts'
import type { Row } from '../dashboard.ts'

const CLIENT = 'smtp.client.name'

const outcomesByApp = table({
  title: 'Apps, in the selected time range',
  description:
    'Each app (PROXY_CLIENTS) in the selected time range: finished messages, the share that was accepted, and the ' +
    'outcome of the others. Turned away: sessions refused before their message; they count as not accepted. Click an app ' +
    'to see its refusals.',
  unit: units.Short,
  queries: [
    ended(RANGE, CLIENT),
    acceptedShare(RANGE, CLIENT),
    sum(growth(RANGE, 'transactions', REFUSED_TEMPORARILY), CLIENT),
    sum(growth(RANGE, 'transactions', { 'smtp.transaction.outcome': 'permfail' }), CLIENT),
    sum(growth(RANGE, 'transactions', { 'smtp.transaction.outcome': 'in_doubt' }), CLIENT),
    turnedAway(RANGE, CLIENT),
    sum(growth(RANGE, 'replies', { 'smtp.reply.cause': 'invalid_credentials' }), CLIENT),
  ],
  columns: [
    {
      field: 'smtp_client_name',
      title: 'App',
      properties: {
        ...cell.text,
        links: [dashboardLink('Refusals of this app', dashboards.refusals, variable('__value.raw')).build()],
      },
    },
    { field: 'Value #A', title: 'Messages', properties: { ...cell.number, ...cell.width(110) } },
    { field: 'Value #B', title: 'Accepted', properties: { ...cell.share, ...cell.width(100) } },
    { field: 'Value #C', title: 'Refused temporarily', properties: { ...cell.count('orange'), ...cell.width(155) } },
    { field: 'Value #D', title: 'Refused permanently', properties: { ...cell.count('red'), ...cell.width(165) } },
    { field: 'Value #E', title: 'In doubt', properties: { ...cell.count('purple'), ...cell.width(95) } },
    { field: 'Value #F', title: 'Turned away', properties: { ...cell.count('orange'), ...cell.width(110) } },
    { field: 'Value #G', title: 'Wrong password', properties: { ...cell.count('red'), ...cell.width(140) } },
  ],
  sortBy: ['Accepted', false],
  noValue: 'No proxy seen',
})

export const apps: Row = {
  heading: 'Which apps are affected?',
  height: 7,
  panels: [[24, outcomesByApp]],
}
