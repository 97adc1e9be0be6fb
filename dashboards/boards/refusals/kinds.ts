/** The second row: every kind of refusal, with its meaning. */
import * as units from '@grafana/grafana-foundation-sdk/units'
import { type GroupKey, labels } from '../../names.ts'
import { actors, meanings } from '../../panels/codes.ts'
import { variable } from '../../panels/links.ts'
import { cell, table } from '../../panels/tables.ts'
import { spanWith, tracesLink, tracesOfRefusals, traceWith } from '../../panels/traces.ts'
import { refused } from '../../promql/mail.ts'
import { growth, RANGE, sum } from '../../promql/queries.ts'
import type { Row } from '../dashboard.ts'

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
    'All refusals in the selected time range, by kind. Click a code to see its traces. The table at the bottom of this ' +
    'dashboard explains each code in full. The proxy itself refuses only if ' +
    'it cannot reach AhaSend, or because of its settings, its resources or a shutdown. 503 is listed only for apps ' +
    'without any other refusal.',
  unit: units.Short,
  queries: [copyOfCause(copyOfCause(allKinds, 'meaning'), 'actor')],
  columns: [
    { field: 'Value', title: 'Count', properties: { ...cell.width(85), ...cell.number } },
    {
      field: 'smtp_reply_code',
      title: 'Code',
      properties: { ...cell.text, ...cell.width(60), links: [ofThisRow.build()] },
    },
    {
      field: 'meaning',
      title: 'Meaning at AhaSend',
      properties: cell.as(eachCause(({ brief }) => brief)),
    },
    {
      field: 'actor',
      title: 'Who must act',
      properties: { ...cell.width(125), ...cell.as(eachCause(({ actor }) => actors[actor])) },
    },
    { field: 'smtp_client_name', title: 'App', properties: { ...cell.wrapped, ...cell.text, ...cell.width(120) } },
    { field: 'smtp_command', title: 'Command', properties: { ...cell.text, ...cell.width(145) } },
    {
      field: 'smtp_reply_origin',
      title: 'Refused by',
      properties: { ...cell.width(95), ...cell.as({ upstream: 'AhaSend', proxy: 'Proxy' }) },
    },
    { field: 'server_address', title: 'Upstream', properties: { ...cell.text, ...cell.width(145) } },
    { field: 'smtp_reply_cause', title: 'Cause', properties: { ...cell.text, ...cell.width(180) } },
  ],
  sortBy: ['Count', true],
  noValue: 'No refusals seen',
  links: [tracesOfRefusals],
})

function eachCause(
  textOf: (meaning: (typeof meanings)[keyof typeof meanings]) => string,
): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(meanings).map(([cause, meaning]) => [cause, textOf(meaning)]))
}

export const kinds: Row = {
  heading: 'Who refused what?',
  height: 10,
  panels: [[24, whoRefusedWhat]],
}
