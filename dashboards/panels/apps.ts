/** The table of apps: whose mail fares how. */
import * as units from '@grafana/grafana-foundation-sdk/units'
import { dashboards } from '../alerts/alert.ts'
import { acceptedShare, ended, grown, REFUSED_FOR_NOW, SHOWN, sum, turnedAway } from '../promql/queries.ts'
import { dashboardLink, variable } from './links.ts'
import { shown, table } from './tables.ts'

const CLIENT = 'smtp.client.name'

export const apps = table({
  title: 'Apps',
  description:
    'Each app (PROXY_CLIENTS) in the time shown: mails that ended, the share that was accepted, and what became of the ' +
    'others. Turned away: sessions refused before their mail; they count as not accepted. A click leads to the refusals.',
  unit: units.Short,
  queries: [
    ended(SHOWN, CLIENT),
    acceptedShare(SHOWN, CLIENT),
    sum(grown(SHOWN, 'transactions', REFUSED_FOR_NOW), CLIENT),
    sum(grown(SHOWN, 'transactions', { 'smtp.transaction.outcome': 'permfail' }), CLIENT),
    sum(grown(SHOWN, 'transactions', { 'smtp.transaction.outcome': 'in_doubt' }), CLIENT),
    turnedAway(SHOWN, CLIENT),
    sum(grown(SHOWN, 'replies', { 'smtp.reply.cause': 'invalid_credentials' }), CLIENT),
  ],
  columns: [
    {
      field: 'smtp_client_name',
      title: 'App',
      properties: {
        ...shown.text,
        links: [dashboardLink('Refusals of this app', dashboards.refusals, variable('__value.raw')).build()],
      },
    },
    { field: 'Value #A', title: 'Mails', properties: shown.number },
    { field: 'Value #B', title: 'Accepted', properties: shown.share },
    { field: 'Value #C', title: 'Refused for now', properties: shown.count('orange') },
    { field: 'Value #D', title: 'Refused for good', properties: shown.count('red') },
    { field: 'Value #E', title: 'In doubt', properties: shown.count('purple') },
    { field: 'Value #F', title: 'Turned away', properties: shown.count('orange') },
    { field: 'Value #G', title: 'Wrong password', properties: shown.count('red') },
  ],
  sortBy: ['Accepted', false],
  nothing: 'No proxy seen',
})
