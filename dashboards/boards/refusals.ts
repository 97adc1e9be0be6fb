import * as units from '@grafana/grafana-foundation-sdk/units'
import { dashboards } from '../alerts/alert.ts'
import { type GroupKey, labels } from '../names.ts'
import { type Actor, actors, causesOf, codesAsMarkdown, meanings } from '../panels/codes.ts'
import { appTlsColors, causeColors, commandColors, verdictColors } from '../panels/colors.ts'
import { areas, events } from '../panels/graphs.ts'
import {
  CLIENTS,
  OF_SELECTED_APPS,
  runbookLink,
  spanWith,
  tracesLink,
  tracesOfAppAndCode,
  tracesOfCode,
  traceWith,
  variable,
} from '../panels/links.ts'
import { rangeTexts, stat, text, zeroIsGood } from '../panels/panels.ts'
import { cell, table } from '../panels/tables.ts'
import { REFUSAL, refused, refusedPerMinute } from '../promql/mail.ts'
import { growth, orZero, perMinute, RANGE, rarePerMinute, sum } from '../promql/queries.ts'
import { dashboard } from './dashboard.ts'

const allRefusals = tracesLink(
  'Traces of refusals',
  traceWith(
    spanWith({ 'smtp.reply.code': { atLeast: 400 } }, undefined, 'span.smtp.reply.cause != "idle_timeout"'),
    OF_SELECTED_APPS,
  ),
)

const anything = stat({
  title: 'Is anything refused?',
  description:
    'Refusals in the selected time range. Not included: idle disconnects, replies of a proxy that is shutting down, and ' +
    '503, which answers the commands pipelined after a refused command. A message can have several refusals, one for ' +
    'each recipient.',
  unit: units.LocaleFormat,
  queries: [{ expr: orZero(sum(refused(RANGE))) }],
  thresholds: zeroIsGood('orange'),
  mappings: rangeTexts({ to: 0.5, text: 'No', color: 'green' }),
  decimals: 0,
  filled: true,
  noValue: 'No proxy seen',
  links: [allRefusals],
})

const SEVERE: ReadonlySet<Actor> = new Set<Actor>(['account', 'operator'])

/** The refusals on which this actor must act. */
function callsFor(actor: Actor): string {
  if (actor === 'unclear') return sum(growth(RANGE, 'replies', { ...REFUSAL, 'smtp.reply.cause': 'none' }))
  return sum(growth(RANGE, 'replies', { 'smtp.reply.cause': { oneOf: causesOf(actor) } }))
}

const ASKED: readonly Actor[] = [
  'account',
  'domain',
  'password',
  'developer',
  'addresses',
  'operator',
  'unclear',
  'retry',
]

const whoMustAct = stat({
  title: 'Who must act?',
  description:
    "The same refusals, by who must act. App: the app's team, and what it must correct. The table below shows the " +
    'causes; the table at the bottom of this dashboard shows what to do. Apps retry messages that were refused ' +
    'temporarily.',
  unit: units.LocaleFormat,
  queries: ASKED.map((actor) => ({ expr: orZero(callsFor(actor)), legend: actors[actor] })),
  thresholds: zeroIsGood('orange'),
  colors: Object.fromEntries([...SEVERE].map((actor) => [actors[actor], zeroIsGood('red')])),
  decimals: 0,
  links: [
    runbookLink('AhaSendAccountDisabled'),
    runbookLink('AhaSendDomainNotConfigured'),
    runbookLink('AhaSendCredentialsRejected'),
    runbookLink('AhaSendMessageFormatRejected'),
    runbookLink('AhaSendRecipientsRejected'),
  ],
})

const REFUSAL_LABELS = [
  'smtp.reply.code',
  'smtp.reply.cause',
  'smtp.command',
  'smtp.client.name',
  'smtp.reply.origin',
  'server.address',
] as const satisfies readonly GroupKey[]

/** Copies the cause to another label, for an additional column. */
function copyOfCause(expr: string, label: string): string {
  return `label_replace(${expr}, "${label}", "$1", "smtp_reply_cause", "(.*)")`
}

/** 503 usually follows another refusal. It matters only if the app got no other refusal: it sends commands out of order. */
const lone503 = `${sum(growth(RANGE, 'replies', { 'smtp.reply.code': 503 }), ...REFUSAL_LABELS)} unless on (${labels('smtp.client.name')}) (${sum(refused(RANGE), 'smtp.client.name')} > 0)`
const allKinds = `(${sum(refused(RANGE), ...REFUSAL_LABELS)} or ${lone503}) > 0`

/** A link to the traces of one row. */
const ofThisRow = tracesLink(
  'Traces of this refusal',
  traceWith(
    spanWith({
      'smtp.reply.code': { raw: variable('__data.fields.Code') },
      'smtp.command': variable('__data.fields.Command'),
    }),
    spanWith({ 'smtp.client.name': variable('__data.fields.App') }),
  ),
)

const whoRefusedWhat = table({
  title: 'Who refused what, and why?',
  description:
    'All refusals in the selected time range, by kind. Click a code to see its traces. The proxy itself refuses only if ' +
    'it cannot reach AhaSend, or because of its settings, its resources or a shutdown. 503 is listed only for apps ' +
    'without any other refusal.',
  unit: units.Short,
  queries: [copyOfCause(copyOfCause(allKinds, 'meaning'), 'actor')],
  columns: [
    { field: 'Value', title: 'Count', properties: { ...cell.width(80), ...cell.number } },
    {
      field: 'smtp_reply_code',
      title: 'Code',
      properties: { ...cell.text, ...cell.width(70), links: [ofThisRow.build()] },
    },
    { field: 'meaning', title: 'Meaning at AhaSend', properties: cell.as(eachCause(({ meaning }) => meaning)) },
    {
      field: 'actor',
      title: 'Who must act',
      properties: { ...cell.width(140), ...cell.as(eachCause(({ actor }) => actors[actor])) },
    },
    { field: 'smtp_client_name', title: 'App', properties: { ...cell.text, ...cell.width(130) } },
    { field: 'smtp_command', title: 'Command', properties: { ...cell.text, ...cell.width(160) } },
    {
      field: 'smtp_reply_origin',
      title: 'Refused by',
      properties: { ...cell.width(100), ...cell.as({ upstream: 'AhaSend', proxy: 'Proxy' }) },
    },
    { field: 'server_address', title: 'Upstream', properties: { ...cell.text, ...cell.width(180) } },
    { field: 'smtp_reply_cause', title: 'Cause', properties: { ...cell.text, ...cell.width(200) } },
  ],
  sortBy: ['Count', true],
  noValue: 'No refusals seen',
  links: [allRefusals],
})

function eachCause(
  textOf: (meaning: (typeof meanings)[keyof typeof meanings]) => string,
): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(meanings).map(([cause, meaning]) => [cause, textOf(meaning)]))
}

const byCause = events({
  title: 'By cause',
  description: 'Refusals per minute, by code and cause, except 503, which follows another refusal.',
  unit: units.Short,
  queries: [
    {
      expr: sum(refusedPerMinute(), 'smtp.reply.code', 'smtp.reply.cause'),
      legend: '{{smtp_reply_code}} {{smtp_reply_cause}}',
    },
  ],
  colors: causeColors,
  noValue: 'No refusals seen',
  dataLinks: [tracesOfCode],
  links: [allRefusals, runbookLink('AhaSendAccountDisabled'), runbookLink('AhaSendPartiallyQueued')],
})

const byCommand = events({
  title: 'By command',
  description:
    'Refusals per minute, by the refused command, except 503, which follows another refusal. CONNECT: a refusal in place ' +
    'of the greeting. AUTH: the password. MAIL: sender, account or domain. RCPT: one recipient. END-OF-MESSAGE: the whole ' +
    'message.',
  unit: units.Short,
  queries: [
    {
      expr: sum(refusedPerMinute(), 'smtp.command'),
      legend: '{{smtp_command}}',
    },
  ],
  colors: commandColors,
  noValue: 'No refusals seen',
  links: [allRefusals],
})

const byApp = events({
  title: 'By app and cause',
  description:
    'Refusals per minute, by app (PROXY_CLIENTS), code and cause, except 503, which follows another refusal.',
  unit: units.Short,
  queries: [
    {
      expr: sum(refusedPerMinute(), 'smtp.client.name', 'smtp.reply.code', 'smtp.reply.cause'),
      legend: '{{smtp_client_name}} {{smtp_reply_code}} {{smtp_reply_cause}}',
    },
  ],
  noValue: 'No refusals seen',
  dataLinks: [tracesOfAppAndCode],
  links: [
    allRefusals,
    runbookLink('AhaSendCredentialsRejected'),
    runbookLink('AhaSendDomainNotConfigured'),
    runbookLink('AhaSendMessageFormatRejected'),
    runbookLink('AhaSendRecipientsRejected'),
  ],
})

const recipients = areas({
  title: 'Recipients by verdict',
  description:
    'Recipients per minute. A message counts as accepted if one of its recipients is accepted; only this panel shows the ' +
    'refused recipients of such messages.',
  unit: units.Short,
  queries: [{ expr: sum(perMinute('recipients'), 'smtp.recipient.verdict'), legend: '{{smtp_recipient_verdict}}' }],
  colors: verdictColors,
  links: [
    tracesLink(
      'Traces with a refused recipient',
      spanWith({ 'smtp.recipient.permfail': { atLeast: 1 }, 'smtp.client.name': { matches: CLIENTS } }, 'transaction'),
    ),
    runbookLink('AhaSendRecipientsRejected'),
  ],
})

const tlsFailures = events({
  title: 'TLS failures of apps',
  description:
    'Failed TLS handshakes of apps per minute, by reason. app_tls_closed: a port scanner or a health check. For every ' +
    'other reason, the log line of the session has an explanation.',
  unit: units.Short,
  queries: [
    {
      expr: sum(rarePerMinute('appTlsHandshakes', { 'error.type': { not: '' } }), 'smtp.client.name', 'error.type'),
      legend: '{{smtp_client_name}} {{error_type}}',
    },
  ],
  colors: appTlsColors,
  noValue: 'No TLS failures seen',
  links: [
    tracesLink(
      'Traces of these sessions',
      spanWith({ 'smtp.session.close_reason': 'tls_failed', 'smtp.client.name': { matches: CLIENTS } }, 'session'),
    ),
    runbookLink('SmtpProxyAppTlsFailing'),
  ],
})

const codes = text({
  title: 'What each code means at AhaSend, and who must act',
  description: "According to AhaSend's documentation. At other providers, these codes can have other meanings.",
  content: codesAsMarkdown(),
})

export const refusals = dashboard({
  uid: dashboards.refusals,
  title: 'AhaSend: refusals',
  question:
    'Who refuses what: which command, with which code, for which app? What does it mean at AhaSend, and who must act?',
  rows: [
    {
      heading: 'Is anything refused, and who must act?',
      height: 5,
      panels: [
        [4, anything],
        [20, whoMustAct],
      ],
    },
    { heading: 'Who refused what?', height: 9, panels: [[24, whoRefusedWhat]] },
    {
      heading: 'Since when?',
      height: 8,
      panels: [
        [8, byCause],
        [8, byCommand],
        [8, byApp],
        [12, tlsFailures],
        [12, recipients],
      ],
    },
    { heading: 'What do the codes mean?', height: 25, panels: [[24, codes]] },
  ],
})
