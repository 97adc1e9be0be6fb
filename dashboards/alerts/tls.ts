/** The alert about apps that fail to establish TLS with the proxy. */

import { labels } from '../names.ts'
import { BY_LISTENER, type Counts, continues, enteredTls } from '../promql/counts.ts'
import { DAY, HOUR, MINUTE } from '../promql/durations.ts'
import { joined } from '../promql/expressions.ts'
import type { RuleMaker } from '../promql/rule-maker.ts'
import { type Alert, dashboards } from './alert.ts'
import { TLS_FAILURES } from './thresholds.ts'

const AT_THIS_LISTENER = `on (${labels(...BY_LISTENER)})`
const OF_THIS_APP = `on (${labels('job', 'smtp.client.name')})`

/**
 * critical: an app that established TLS within the last day can no longer do so, and none of its messages is accepted on any
 * connection. warning: an app never establishes TLS, or some of its attempts keep failing.
 */
export function tlsAlerts(make: RuleMaker, counts: Counts): readonly Alert[] {
  const failed = (window: number) => make.count(counts.tlsFailed, window)
  const none = (window: number) =>
    joined(`unless ${AT_THIS_LISTENER}`, `${failed(window)} >= ${TLS_FAILURES.none}`, entered(make, counts, window))
  const persists = continues(make, counts.tlsFailed)
  const seldom = joined('and', none(HOUR), persists)
  const some = joined('and', `${failed(HOUR)} >= ${TLS_FAILURES.some}`, persists)
  const when = (condition: string) => joined('and', `${failed(HOUR)} > 0`, condition)
  const shared = {
    name: 'SmtpProxyAppTlsFailing',
    for: MINUTE,
    description: ({ count, label }) =>
      `${count} attempts of ${label('smtp.client.name')} to establish TLS at ${label('smtp.listener')} failed in the ` +
      `last hour: ${label('error.type')}. The log line of each such session explains the failure.`,
    panel: [dashboards.refusals, 'TLS failures of apps'],
  } as const satisfies Partial<Alert>
  return [
    {
      ...shared,
      severity: 'critical',
      expr: when(outage(make, counts)),
      summary: 'An app can no longer establish TLS with the proxy: it sends no mail.',
    },
    {
      ...shared,
      severity: 'warning',
      expr: when(joined('or', none(5 * MINUTE), none(15 * MINUTE), seldom, some)),
      summary: 'An app fails to establish TLS with the proxy.',
    },
  ]
}

/** The failures last longer than a vulnerability scan, and no older connection of the app carries mail. */
function outage(make: RuleMaker, counts: Counts): string {
  const window = TLS_FAILURES.outage
  const lasts = joined(
    'and',
    `${make.count(counts.tlsFailed, window)} >= ${TLS_FAILURES.none}`,
    continues(make, counts.tlsFailed, window),
  )
  const couldToday = make.sum(BY_LISTENER, make.increase(enteredTls(make), DAY))
  const stopped = joined(`unless ${AT_THIS_LISTENER}`, lasts, entered(make, counts, window))
  const silent = joined(`unless ${OF_THIS_APP}`, stopped, `${make.count(counts.accepted, window)} > 0`)
  return joined(`and ${AT_THIS_LISTENER}`, silent, `${couldToday} > 0`)
}

function entered(make: RuleMaker, counts: Counts, window: number): string {
  return `${make.count(counts.tlsEntered, window)} > 0`
}
