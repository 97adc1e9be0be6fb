/** The alert about sessions that the proxy refuses, with or without a reply. */
import { grow, hold, LONG_RUNNING, type Scenario } from './scenario.ts'
import { ended, reply } from './series.ts'

const refusing = (severity: 'critical' | 'warning', reason: string, count: number) =>
  ({
    severity,
    labels: { smtp_session_close_reason: reason },
    description: `The proxy refused ${count} connections: ${reason}. session_limit: PROXY_MAX_SESSIONS or PROXY_MAX_SESSIONS_PER_CLIENT is reached. not_allowed: the client's address is not in PROXY_ALLOW.`,
  }) as const

const replied = (cause: string) => reply('CONNECT', 421, cause, { origin: 'proxy' })

export const REFUSING: readonly Scenario[] = [
  {
    name: 'a reached session limit is critical while it refuses apps, and the 421 of a session is not counted again',
    alert: 'SmtpProxyRefusingSessions',
    series: {
      ...LONG_RUNNING,
      [ended('session_limit')]: [hold(0, 20), grow(0, 4, 5), hold(20, 40)],
      [replied('session_limit')]: [hold(0, 20), grow(0, 4, 5), hold(20, 40)],
    },
    fires: [
      [19.75],
      [22, refusing('critical', 'session_limit', 8), refusing('warning', 'session_limit', 8)],
      [31, refusing('warning', 'session_limit', 20)],
      [56],
    ],
  },
  {
    name: '600 refused sessions a minute on a listener with TLS from the first byte, which sends no reply, are critical',
    alert: 'SmtpProxyRefusingSessions',
    series: { ...LONG_RUNNING, [ended('session_limit')]: [hold(0, 20), grow(0, 600, 40), hold(24_000, 40)] },
    fires: [
      [19.75],
      [21, refusing('critical', 'session_limit', 600), refusing('warning', 'session_limit', 600)],
      [59, refusing('critical', 'session_limit', 3000), refusing('warning', 'session_limit', 18_000)],
      [91],
    ],
  },
  {
    name: 'the first connection from outside PROXY_ALLOW is a warning',
    alert: 'SmtpProxyRefusingSessions',
    series: { ...LONG_RUNNING, [ended('not_allowed')]: [hold(0, 20), hold(1, 40)] },
    fires: [[19.75], [20.25, refusing('warning', 'not_allowed', 1)], [51]],
  },
  {
    name: 'a drain does not fire, and neither do failed dials',
    alert: 'SmtpProxyRefusingSessions',
    series: {
      ...LONG_RUNNING,
      [ended('drained')]: [hold(0, 20), grow(0, 100, 20)],
      [ended('dial_failed')]: [hold(0, 20), grow(0, 100, 20)],
    },
    fires: [[19.75], [25], [39]],
  },
]
