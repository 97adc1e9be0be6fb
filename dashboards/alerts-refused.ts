/** Alerts about sessions that the proxy refuses. */
import { type Alert, dashboards } from './alert.ts'
import { TURNED_AWAY, WITHOUT_HEADER } from './alert-settings.ts'
import { BY_INSTANCE, type Counts } from './counts.ts'
import { joined, MINUTE, type RuleMaker } from './rule-maker.ts'

export function refusedAlerts(make: RuleMaker, counts: Counts): readonly Alert[] {
  return [...refusingSessions(make, counts), ...proxyHeaderInvalid(make, counts)]
}

function refusingSessions(make: RuleMaker, { turnedAway, notAllowed }: Counts): Alert[] {
  const shared = {
    name: 'SmtpProxyRefusingSessions',
    for: 0,
    description: ({ count, label }) =>
      `The proxy refused ${count} connections: ${label('smtp.session.close_reason')}. session_limit is ` +
      'PROXY_MAX_SESSIONS or PROXY_MAX_SESSIONS_PER_CLIENT, not_allowed is PROXY_ALLOW.',
    panel: [dashboards.proxy, 'Sessions refused by the proxy'],
  } as const satisfies Partial<Alert>
  return [
    {
      ...shared,
      severity: 'critical',
      expr: `${make.sumOf(turnedAway, 5 * MINUTE)} >= ${TURNED_AWAY}`,
      summary: 'The proxy refuses applications: its session limit is reached.',
    },
    {
      ...shared,
      severity: 'warning',
      expr: joined('or', `${make.sumOf(turnedAway, 30 * MINUTE)} > 0`, `${make.sumOf(notAllowed, 30 * MINUTE)} > 0`),
      summary: 'The proxy refuses connections.',
    },
  ]
}

/**
 * critical: no message is accepted meanwhile, so the load balancer most likely sends no header at all. Clients that connect
 * and leave without one byte, as health checks do, are no such sessions.
 */
function proxyHeaderInvalid(make: RuleMaker, { withoutHeader }: Counts): Alert[] {
  const accepted = make.increase(
    make.select.series('transactions', { 'smtp.transaction.outcome': 'accepted' }),
    5 * MINUTE,
  )
  const shared = {
    name: 'SmtpProxyProxyHeaderInvalid',
    for: 0,
    description: ({ count, label }) =>
      `${label('instance')} closed ${count} connections from PROXY_TRUST_PROXY_PROTOCOL, because they did not begin with ` +
      'a valid PROXY header. Their applications get no reply at all.',
    panel: [dashboards.proxy, 'Sessions refused by the proxy'],
  } as const satisfies Partial<Alert>
  return [
    {
      ...shared,
      severity: 'critical',
      expr: joined(
        'unless',
        `${make.sumOf(withoutHeader, 5 * MINUTE)} >= ${WITHOUT_HEADER}`,
        `${make.sum(BY_INSTANCE, accepted)} > 0`,
      ),
      summary: 'The load balancer sends no valid PROXY header, and no message is accepted.',
    },
    {
      ...shared,
      severity: 'warning',
      expr: `${make.sumOf(withoutHeader, 30 * MINUTE)} > 0`,
      summary: 'A load balancer sends connections without a valid PROXY header.',
    },
  ]
}
