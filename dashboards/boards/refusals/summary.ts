/** The first row: whether anything is refused, and who must act. */

import { type Actor, actors, causesOf } from '../../panels/codes.ts'
import { runbookLink } from '../../panels/links.ts'
import { countStat } from '../../panels/stats.ts'
import { tracesOfRefusals } from '../../panels/traces.ts'
import { rangeTexts, zeroIsGood } from '../../panels/values.ts'
import { REFUSAL, refused } from '../../promql/mail.ts'
import { growth, orZero, RANGE, sum } from '../../promql/queries.ts'
import type { Row } from '../dashboard.ts'

const anything = countStat({
  title: 'Is anything refused?',
  description:
    'Refusals in the selected time range. Not included: idle disconnects, replies of a proxy that is shutting down, and ' +
    '503, which answers the commands pipelined after a refused command. A message can have several refusals, one for ' +
    'each recipient.',
  queries: [{ expr: orZero(sum(refused(RANGE))) }],
  thresholds: zeroIsGood('orange'),
  mappings: rangeTexts({ to: 0.5, text: 'No', color: 'green' }),
  filled: true,
  noValue: 'No proxy seen',
  links: [tracesOfRefusals],
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

const whoMustAct = countStat({
  title: 'Who must act?',
  description:
    "The same refusals, by who must act. App: the app's team, and what it must correct. The table below shows the " +
    'causes; the table at the bottom of this dashboard shows what to do. Apps retry messages that were refused ' +
    'temporarily.',
  queries: ASKED.map((actor) => ({ expr: orZero(callsFor(actor)), legend: actors[actor] })),
  thresholds: zeroIsGood('orange'),
  colors: Object.fromEntries([...SEVERE].map((actor) => [actors[actor], zeroIsGood('red')])),
  links: [
    runbookLink('AhaSendAccountDisabled'),
    runbookLink('AhaSendDomainNotConfigured'),
    runbookLink('AhaSendCredentialsRejected'),
    runbookLink('AhaSendMessageFormatRejected'),
    runbookLink('AhaSendRecipientsRejected'),
  ],
})

export const summary: Row = {
  heading: 'Is anything refused, and who must act?',
  height: 5,
  panels: [
    [5, anything],
    [19, whoMustAct],
  ],
}
