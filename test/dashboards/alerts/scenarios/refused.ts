/** Sessions that the proxy refuses, with a reply or without one. */
import { grow, hold, type Scenario, UP } from './scenario.ts'
import { ended, reply } from './series.ts'

const refusing = (severity: 'critical' | 'warning', reason: string, count: number) =>
  ({
    severity,
    labels: { smtp_session_close_reason: reason },
    description: `The proxy refused ${count} connections: ${reason}. session_limit: PROXY_MAX_SESSIONS or PROXY_MAX_SESSIONS_PER_CLIENT is reached. not_allowed: the address is not in PROXY_ALLOW.`,
  }) as const

const replied = (cause: string) => reply('CONNECT', 421, cause, { origin: 'proxy' })

export const REFUSING: readonly Scenario[] = [
  {
    name: 'a session limit that is reached pages while it refuses applications; the 421 of each is not counted again',
    alert: 'SmtpProxyRefusingSessions',
    series: {
      ...UP,
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
    name: 'so do 600 a minute for 40 minutes on a listener with TLS from the first byte, where there is no reply',
    alert: 'SmtpProxyRefusingSessions',
    series: { ...UP, [ended('session_limit')]: [hold(0, 20), grow(0, 600, 40), hold(24_000, 40)] },
    fires: [
      [19.75],
      [21, refusing('critical', 'session_limit', 600), refusing('warning', 'session_limit', 600)],
      [59, refusing('critical', 'session_limit', 3000), refusing('warning', 'session_limit', 18_000)],
      [91],
    ],
  },
  {
    name: 'one stranger is a warning, the first one too',
    alert: 'SmtpProxyRefusingSessions',
    series: { ...UP, [ended('not_allowed')]: [hold(0, 20), hold(1, 40)] },
    fires: [[19.75], [20.25, refusing('warning', 'not_allowed', 1)], [51]],
  },
  {
    name: 'a drain is nothing, nor are dials that fail',
    alert: 'SmtpProxyRefusingSessions',
    series: {
      ...UP,
      [ended('drained')]: [hold(0, 20), grow(0, 100, 20)],
      [ended('dial_failed')]: [hold(0, 20), grow(0, 100, 20)],
    },
    fires: [[19.75], [25], [39]],
  },
]
