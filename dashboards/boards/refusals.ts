import * as units from '@grafana/grafana-foundation-sdk/units'
import { dashboards } from '../alerts/alert.ts'
import { type GroupKey, labels } from '../names.ts'
import { type Actor, actors, causesOf, codesAsMarkdown, meanings } from '../panels/codes.ts'
import { appTlsColors, causeColors, commandColors, verdictColors } from '../panels/colors.ts'
import { areas, events } from '../panels/graphs.ts'
import {
  CLIENTS,
  OF_CHOSEN_APPS,
  runbookLink,
  spanWith,
  tracesLink,
  tracesOfAppAndCode,
  tracesOfCode,
  traceWith,
  variable,
} from '../panels/links.ts'
import { noneIsGood, stat, text, words } from '../panels/panels.ts'
import { shown, table } from '../panels/tables.ts'
import { grown, orZero, perMinute, REFUSAL, refused, refusedPerMinute, SHOWN, seldom, sum } from '../promql/queries.ts'
import { dashboard } from './dashboard.ts'

const allRefusals = tracesLink(
  'Traces of refusals',
  traceWith(
    spanWith({ 'smtp.reply.code': { atLeast: 400 } }, undefined, 'span.smtp.reply.cause != "idle_timeout"'),
    OF_CHOSEN_APPS,
  ),
)

const anything = stat({
  title: 'Is anything refused?',
  description:
    'Replies in the time shown that say no. Left out: idle disconnects, the end of a proxy that is stopped, and 503, ' +
    'which answers what was pipelined behind a refused command. A mail can be refused several times: each recipient.',
  unit: units.LocaleFormat,
  queries: [{ expr: orZero(sum(refused(SHOWN))) }],
  thresholds: noneIsGood('orange'),
  mappings: words({ to: 0.5, text: 'No', color: 'green' }),
  decimals: 0,
  loud: true,
  nothing: 'No proxy seen',
  links: [allRefusals],
})

const SEVERE: ReadonlySet<Actor> = new Set<Actor>(['account', 'operator'])

/** The refusals that call for somebody. */
function callsFor(actor: Actor): string {
  if (actor === 'unclear') return sum(grown(SHOWN, 'replies', { ...REFUSAL, 'smtp.reply.cause': 'none' }))
  return sum(grown(SHOWN, 'replies', { 'smtp.reply.cause': { oneOf: causesOf(actor) } }))
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
    'The same refusals by whose turn it is. The table below says why, and the one at the bottom what to do. What is ' +
    'refused for now is sent again by the apps.',
  unit: units.LocaleFormat,
  queries: ASKED.map((actor) => ({ expr: orZero(callsFor(actor)), legend: actors[actor] })),
  thresholds: noneIsGood('orange'),
  colors: Object.fromEntries([...SEVERE].map((actor) => [actors[actor], noneIsGood('red')])),
  decimals: 0,
  links: [
    runbookLink('AhaSendAccountDisabled'),
    runbookLink('AhaSendDomainNotConfigured'),
    runbookLink('AhaSendCredentialsRejected'),
    runbookLink('AhaSendMessageFormatRejected'),
    runbookLink('AhaSendRecipientsRejected'),
  ],
})

const WHO = [
  'smtp.reply.code',
  'smtp.reply.cause',
  'smtp.command',
  'smtp.client.name',
  'smtp.reply.origin',
  'server.address',
] as const satisfies readonly GroupKey[]

/** The cause under another name, for a column of its own. */
function copyOfCause(expr: string, label: string): string {
  return `label_replace(${expr}, "${label}", "$1", "smtp_reply_cause", "(.*)")`
}

/** 503 follows another refusal. Only where an app got no other it says something: the app speaks out of turn. */
const lone503 = `${sum(grown(SHOWN, 'replies', { 'smtp.reply.code': 503 }), ...WHO)} unless on (${labels('smtp.client.name')}) (${sum(refused(SHOWN), 'smtp.client.name')} > 0)`
const said = `(${sum(refused(SHOWN), ...WHO)} or ${lone503}) > 0`

/** The traces of one row. */
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

const whoSaidNo = table({
  title: 'Who said no, to whom, and why?',
  description:
    'Every kind of refusal in the time shown. A click on the code leads to the traces. The proxy speaks for itself only ' +
    'where it could not reach AhaSend or must not. 503 is there only for apps that got no other refusal.',
  unit: units.Short,
  queries: [copyOfCause(copyOfCause(said, 'meaning'), 'actor')],
  columns: [
    { field: 'Value', title: 'Times', properties: { ...shown.width(80), ...shown.number } },
    {
      field: 'smtp_reply_code',
      title: 'Code',
      properties: { ...shown.text, ...shown.width(70), links: [ofThisRow.build()] },
    },
    { field: 'meaning', title: 'What it means at AhaSend', properties: shown.as(eachCause(({ meaning }) => meaning)) },
    {
      field: 'actor',
      title: 'Who must act',
      properties: { ...shown.width(170), ...shown.as(eachCause(({ actor }) => actors[actor])) },
    },
    { field: 'smtp_client_name', title: 'App', properties: { ...shown.text, ...shown.width(130) } },
    { field: 'smtp_command', title: 'Command', properties: { ...shown.text, ...shown.width(160) } },
    {
      field: 'smtp_reply_origin',
      title: 'Said by',
      properties: { ...shown.width(100), ...shown.as({ upstream: 'AhaSend', proxy: 'the proxy' }) },
    },
    { field: 'server_address', title: 'Upstream', properties: { ...shown.text, ...shown.width(180) } },
    { field: 'smtp_reply_cause', title: 'Cause', properties: { ...shown.text, ...shown.width(170) } },
  ],
  sortBy: ['Times', true],
  nothing: 'No refusal seen',
  links: [allRefusals],
})

function eachCause(
  wording: (meaning: (typeof meanings)[keyof typeof meanings]) => string,
): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(meanings).map(([cause, meaning]) => [cause, wording(meaning)]))
}

const byCause = events({
  title: 'By cause',
  description: 'Refusals a minute by code and cause. 503 is left out: it follows another refusal.',
  unit: units.Short,
  queries: [
    {
      expr: sum(refusedPerMinute(), 'smtp.reply.code', 'smtp.reply.cause'),
      legend: '{{smtp_reply_code}} {{smtp_reply_cause}}',
    },
  ],
  colors: causeColors,
  nothing: 'No refusal seen',
  dataLinks: [tracesOfCode],
  links: [allRefusals, runbookLink('AhaSendAccountDisabled'), runbookLink('AhaSendPartiallyQueued')],
})

const byCommand = events({
  title: 'By command',
  description:
    'Refusals a minute by what they answer. CONNECT: no greeting. AUTH: the password. MAIL: sender, account or domain. ' +
    'RCPT: one recipient. END-OF-MESSAGE: the whole mail. 503 is left out: it follows another refusal.',
  unit: units.Short,
  queries: [
    {
      expr: sum(refusedPerMinute(), 'smtp.command'),
      legend: '{{smtp_command}}',
    },
  ],
  colors: commandColors,
  nothing: 'No refusal seen',
  links: [allRefusals],
})

const byApp = events({
  title: 'By app and cause',
  description:
    'Refusals a minute by the app that got them (PROXY_CLIENTS), by code and cause. 503 is left out: it follows another refusal.',
  unit: units.Short,
  queries: [
    {
      expr: sum(refusedPerMinute(), 'smtp.client.name', 'smtp.reply.code', 'smtp.reply.cause'),
      legend: '{{smtp_client_name}} {{smtp_reply_cause}}',
    },
  ],
  nothing: 'No refusal seen',
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
    'Recipients a minute. A mail is accepted when one of its recipients is: refused recipients of such mails are seen ' +
    'only here.',
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
    'Attempts a minute of applications to enter TLS that failed, by reason. app_tls_closed is a port scanner or a health ' +
    'check; each other reason is explained in the log line of the session.',
  unit: units.Short,
  queries: [
    {
      expr: sum(seldom('appTlsHandshakes', { 'error.type': { not: '' } }), 'smtp.client.name', 'error.type'),
      legend: '{{smtp_client_name}} {{error_type}}',
    },
  ],
  colors: appTlsColors,
  nothing: 'No TLS failure seen',
  links: [
    tracesLink(
      'Traces of such sessions',
      spanWith({ 'smtp.session.close_reason': 'tls_failed', 'smtp.client.name': { matches: CLIENTS } }, 'session'),
    ),
    runbookLink('SmtpProxyAppTlsFailing'),
  ],
})

const codes = text({
  title: 'What each code means at AhaSend, and who must act',
  description: 'As AhaSend documents it: not what the codes mean elsewhere.',
  content: codesAsMarkdown(),
})

export const refusals = dashboard({
  uid: dashboards.refusals,
  title: 'AhaSend: refusals',
  question:
    'Who said no, at which command, with which code, to which app? What does AhaSend mean by it, and who must act?',
  rows: [
    {
      heading: 'Is anything refused, and who must act?',
      height: 5,
      panels: [
        [4, anything],
        [20, whoMustAct],
      ],
    },
    { heading: 'Who said no?', height: 9, panels: [[24, whoSaidNo]] },
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
    { heading: 'What does it mean?', height: 18, panels: [[24, codes]] },
  ],
})
