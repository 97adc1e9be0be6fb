/** Alerts about AhaSend's limits: 20 MiB per message, 50 recipients per message, 10,000 messages per connection. */
import { metrics } from '../../otel/names/names.ts'
import type { GroupKey } from '../names.ts'
import type { Counts } from '../promql/counts.ts'
import { HOUR } from '../promql/durations.ts'
import type { Count, RuleMaker } from '../promql/rule-maker.ts'
import { type Alert, dashboards, type Wording } from './alert.ts'
import { LIMITS } from './thresholds.ts'

export function limitAlerts(make: RuleMaker, counts: Counts): readonly Alert[] {
  return [messageSize(counts), recipients(counts), connections(counts)].flatMap((one) => limit(make, one))
}

function messageSize({ tooBig }: Counts): Limit {
  return {
    name: 'AhaSendMessageSizeLimit',
    metric: 'messageSize',
    by: ['job', 'smtp.client.name'],
    near: ({ label }) =>
      `${label('smtp.client.name')} sent messages above 15 MiB in the last hour. AhaSend refuses messages above 20 MiB ` +
      '(20,971,520 bytes). Headers count, and base64 makes attachments a third larger.',
    refused: tooBig,
    beyond: ({ count, label }) =>
      `${label('server.address')} refused ${count} messages from ${label('smtp.client.name')} in the last hour because ` +
      'their encoded size is above 20 MiB (20,971,520 bytes). Sending them again does not help.',
    summary: ['Messages are close to the limit of 20 MiB.', 'Messages exceed the limit of 20 MiB.'],
    panel: 'Message size',
  }
}

function recipients({ tooManyRecipients }: Counts): Limit {
  return {
    name: 'AhaSendRecipientLimit',
    metric: 'messageRecipients',
    by: ['job'],
    near: () =>
      `Messages with more than ${lastBoundBelow('messageRecipients')} recipients were sent in the last hour. AhaSend ` +
      'accepts 50 recipients per message and refuses further recipients with 452.',
    refused: tooManyRecipients,
    beyond: ({ count, label }) =>
      `${label('server.address')} refused ${count} recipients of ${label('smtp.client.name')} in the last hour ` +
      'because a message can have at most 50. Apps that do not check the reply to each recipient never send the ' +
      'message to the refused ones.',
    summary: ['Messages are close to the limit of 50 recipients.', 'Messages have more than 50 recipients.'],
    panel: 'Recipients per message',
  }
}

function connections({ connectionLimit }: Counts): Limit {
  return {
    name: 'AhaSendConnectionLimit',
    metric: 'sessionMessages',
    by: ['job', 'server.address'],
    near: ({ label }) =>
      `Some connections to ${label('server.address')} carried more than 9,000 messages each in the last hour. AhaSend ` +
      'accepts at most 10,000 messages per connection.',
    refused: connectionLimit,
    beyond: ({ count, label }) =>
      `${label('server.address')} refused ${label('smtp.client.name')} ${count} times in the last hour because its ` +
      'connection had reached a limit. The app must send these messages again on a new connection.',
    summary: ['Connections are close to the limit of 10,000 messages.', 'Connections exceed a limit of AhaSend.'],
    panel: 'Messages per connection',
  }
}

interface Limit {
  readonly name: Alert['name']
  readonly metric: keyof typeof LIMITS
  readonly by: readonly GroupKey[]
  readonly near: (wording: Wording) => string
  readonly refused: Count
  readonly beyond: (wording: Wording) => string
  readonly summary: readonly [near: string, beyond: string]
  readonly panel: string
}

/** info: a value was above the histogram's last bound below the limit. warning: AhaSend refused what exceeded the limit. */
function limit(make: RuleMaker, { name, metric, by, near, refused, beyond, summary, panel }: Limit): Alert[] {
  const buckets = make.sum([...by, 'le'], make.increase(make.select.bucket(metric), HOUR))
  const shared = { name, for: 0, panel: [dashboards.limits, panel] } as const
  return [
    {
      ...shared,
      severity: 'warning',
      expr: `${make.sumOf(refused, HOUR)} > 0`,
      summary: summary[1],
      description: beyond,
    },
    {
      ...shared,
      severity: 'info',
      // the maximum is above a bound if the upper end of its bucket is
      expr: `histogram_quantile(1, ${buckets}) > ${lastBoundBelow(metric)}`,
      summary: summary[0],
      description: near,
    },
  ]
}

/** A histogram shows only on which side of a bucket's bound a value was. */
function lastBoundBelow(metric: keyof typeof LIMITS): number {
  const below: number[] = metrics[metric].buckets.filter((bound) => bound < LIMITS[metric])
  return Math.max(...below)
}
