/** The alert about sessions that the proxy refuses because of its limits or its allow-list. */

import type { Counts } from '../promql/counts.ts'
import { MINUTE } from '../promql/durations.ts'
import { joined } from '../promql/expressions.ts'
import type { RuleMaker } from '../promql/rule-maker.ts'
import { type Alert, dashboards } from './alert.ts'
import { TURNED_AWAY } from './thresholds.ts'

export function refusedAlerts(make: RuleMaker, { turnedAway, notAllowed }: Counts): readonly Alert[] {
  const shared = {
    name: 'SmtpProxyRefusingSessions',
    for: 0,
    description: ({ count, label }) =>
      `The proxy refused ${count} connections: ${label('smtp.session.close_reason')}. session_limit: ` +
      "PROXY_MAX_SESSIONS or PROXY_MAX_SESSIONS_PER_CLIENT is reached. not_allowed: the client's address is " +
      'not in PROXY_ALLOW.',
    panel: [dashboards.proxy, 'Sessions refused by the proxy'],
  } as const satisfies Partial<Alert>
  return [
    {
      ...shared,
      severity: 'critical',
      expr: `${make.sumOf(turnedAway, 5 * MINUTE)} >= ${TURNED_AWAY}`,
      summary: 'The proxy refuses connections from apps: its session limit is reached.',
    },
    {
      ...shared,
      severity: 'warning',
      expr: joined('or', `${make.sumOf(turnedAway, 30 * MINUTE)} > 0`, `${make.sumOf(notAllowed, 30 * MINUTE)} > 0`),
      summary: 'The proxy refuses connections.',
    },
  ]
}
