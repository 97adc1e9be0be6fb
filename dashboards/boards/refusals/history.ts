/** The third row: since when something is refused. */
import * as units from '@grafana/grafana-foundation-sdk/units'
import { appTlsColors, causeColors, commandColors, verdictColors } from '../../panels/colors.ts'
import { areas, events } from '../../panels/graphs.ts'
import { runbookLink } from '../../panels/links.ts'
import { sumBy } from '../../panels/panels.ts'
import { refusalGraph } from '../../panels/refusals.ts'
import {
  SELECTED_APPS,
  spanWith,
  tracesLink,
  tracesOfAppAndCode,
  tracesOfCode,
  tracesOfRefusals,
} from '../../panels/traces.ts'
import { perMinute, rarePerMinute } from '../../promql/queries.ts'
import type { Row } from '../dashboard.ts'

const byCause = refusalGraph({
  title: 'By cause',
  description: 'Refusals per minute, by code and cause, except 503, which follows another refusal.',
  by: ['smtp.reply.code', 'smtp.reply.cause'],
  colors: causeColors,
  dataLinks: [tracesOfCode],
  links: [tracesOfRefusals, runbookLink('AhaSendAccountDisabled'), runbookLink('AhaSendPartiallyQueued')],
})

const byCommand = refusalGraph({
  title: 'By command',
  description:
    'Refusals per minute, by the refused command, except 503, which follows another refusal. CONNECT: a ' +
    'refusal instead of a greeting. AUTH: the password. MAIL: sender, account or domain. RCPT: one recipient. ' +
    'END-OF-MESSAGE: the whole message.',
  by: ['smtp.command'],
  colors: commandColors,
  links: [tracesOfRefusals],
})

const byApp = refusalGraph({
  title: 'By app and cause',
  description:
    'Refusals per minute, by app (PROXY_CLIENTS), code and cause, except 503, which follows another refusal.',
  by: ['smtp.client.name', 'smtp.reply.code', 'smtp.reply.cause'],
  dataLinks: [tracesOfAppAndCode],
  links: [
    tracesOfRefusals,
    runbookLink('AhaSendCredentialsRejected'),
    runbookLink('AhaSendDomainNotConfigured'),
    runbookLink('AhaSendMessageFormatRejected'),
    runbookLink('AhaSendRecipientsRejected'),
  ],
})

const tlsFailures = events({
  title: 'TLS failures of apps',
  description:
    'Failed TLS handshakes of apps per minute, by reason. app_tls_closed: a port scanner or a health check. For every ' +
    'other reason, the log line of the session has an explanation.',
  queries: [sumBy(rarePerMinute('appTlsHandshakes', { 'error.type': { not: '' } }), 'smtp.client.name', 'error.type')],
  colors: appTlsColors,
  noValue: 'No TLS failures seen',
  links: [
    tracesLink(
      'Traces of these sessions',
      spanWith({ 'smtp.session.close_reason': 'tls_failed', ...SELECTED_APPS }, 'session'),
    ),
    runbookLink('SmtpProxyAppTlsFailing'),
  ],
})

const recipients = areas({
  title: 'Recipients by verdict',
  description:
    'Recipients per minute. A message counts as accepted if one of its recipients is accepted; only this panel shows the ' +
    'refused recipients of such messages.',
  unit: units.Short,
  queries: [sumBy(perMinute('recipients'), 'smtp.recipient.verdict')],
  colors: verdictColors,
  links: [
    tracesLink(
      'Traces with a refused recipient',
      spanWith({ 'smtp.recipient.permfail': { atLeast: 1 }, ...SELECTED_APPS }, 'transaction'),
    ),
    runbookLink('AhaSendRecipientsRejected'),
  ],
})

export const history: Row = {
  heading: 'Since when?',
  height: 8,
  panels: [
    [8, byCause],
    [8, byCommand],
    [8, byApp],
    [12, tlsFailures],
    [12, recipients],
  ],
}
