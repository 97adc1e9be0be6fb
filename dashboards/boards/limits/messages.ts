/** The third row: how close the traffic is to AhaSend's limits. */
import * as units from '@grafana/grafana-foundation-sdk/units'
import { LIMITS } from '../../alerts/thresholds.ts'
import { lines } from '../../panels/graphs.ts'
import { runbookLink } from '../../panels/links.ts'
import { spanWith, tracesLink, tracesOfLargeMessages } from '../../panels/traces.ts'
import { quantile, RATE_INTERVAL } from '../../promql/queries.ts'
import type { Row } from '../dashboard.ts'

const LIMIT = "AhaSend's limit"

/** Quantiles (1 is the largest value) and AhaSend's limit. */
function againstLimit(key: keyof typeof LIMITS, ...quantiles: readonly number[]) {
  const measuredQuantiles = quantiles.map((q) => ({
    expr: quantile(q, RATE_INTERVAL, key),
    legend: q === 1 ? 'largest' : `p${q * 100}`,
  }))
  return [...measuredQuantiles, { expr: `vector(${LIMITS[key]})`, legend: LIMIT }]
}

const sizes = lines({
  title: 'Message size',
  description:
    'Message size in bytes, including headers and base64. "largest" is the upper bound of a histogram bucket. ' +
    'The limit is 20 MiB (20,971,520 bytes): AhaSend answers 552 to larger messages. Always shows all ' +
    'upstreams.',
  unit: units.BytesIEC,
  queries: againstLimit('messageSize', 0.5, 0.99, 1),
  dashed: { [LIMIT]: 'red' },
  logarithmic: 2,
  links: [tracesOfLargeMessages, runbookLink('AhaSendMessageSizeLimit')],
})

const recipients = lines({
  title: 'Recipients per message',
  description:
    'Recipients of a message: 50%, 10% and 1% of messages have more (p50, p90 and p99, estimated from ' +
    'histogram buckets). The limit is 50: beyond it, AhaSend answers 452. Always shows all apps and upstreams.',
  unit: units.Short,
  queries: againstLimit('messageRecipients', 0.5, 0.9, 0.99),
  dashed: { [LIMIT]: 'red' },
  links: [
    tracesLink(
      'Traces of messages with many recipients',
      spanWith({ 'smtp.message.recipient_count': { atLeast: 40 } }, 'transaction'),
    ),
    runbookLink('AhaSendRecipientLimit'),
  ],
})

const perConnection = lines({
  title: 'Messages per connection',
  description:
    'Messages per session, counted when the session ends. "largest" is the upper bound of a histogram bucket. ' +
    'The limit is 10,000: AhaSend then answers 421 or 452 until the app reconnects. Always shows all apps.',
  unit: units.Short,
  queries: againstLimit('sessionMessages', 0.5, 0.99, 1),
  dashed: { [LIMIT]: 'red' },
  logarithmic: 10,
  links: [
    tracesLink('Traces of long sessions', spanWith({ 'smtp.session.messages': { atLeast: 5000 } }, 'session')),
    runbookLink('AhaSendConnectionLimit'),
  ],
})

export const messages: Row = {
  heading: 'How close are the limits?',
  height: 8,
  panels: [
    [8, sizes],
    [8, recipients],
    [8, perConnection],
  ],
}
