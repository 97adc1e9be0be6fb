/** Sessions that the proxy refuses, with a reply or without one. */
import { grow, hold, type Scenario, UP } from './scenario.ts'
import { ended, mail, reply } from './series.ts'

const refusing = (severity: 'critical' | 'warning', reason: string, count: number) =>
  ({
    severity,
    labels: { smtp_session_close_reason: reason },
    description: `The proxy refused ${count} connections: ${reason}. session_limit is PROXY_MAX_SESSIONS or PROXY_MAX_SESSIONS_PER_CLIENT, not_allowed is PROXY_ALLOW.`,
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

const headless = (severity: 'critical' | 'warning', count: number) =>
  ({
    severity,
    labels: { instance: 'proxy:9464' },
    description: `proxy:9464 closed ${count} connections from PROXY_TRUST_PROXY_PROTOCOL, because they did not begin with a valid PROXY header. Their applications get no reply at all.`,
  }) as const

export const PROXY_HEADER: readonly Scenario[] = [
  {
    name: 'a load balancer that no longer sends a PROXY header pages within minutes, until it does again',
    alert: 'SmtpProxyProxyHeaderInvalid',
    series: {
      ...UP,
      [mail('accepted')]: [grow(0, 10, 20), hold(200, 20), grow(200, 10, 50)],
      [ended('proxy_header')]: [hold(0, 20), grow(0, 10, 20), hold(200, 50)],
    },
    fires: [
      [19.75],
      [20.25, headless('warning', 2)],
      [26, headless('critical', 50), headless('warning', 60)],
      [42, headless('warning', 200)],
      [71],
    ],
  },
  {
    name: 'a health check that speaks without a header is a warning, the first one too, while mail is accepted',
    alert: 'SmtpProxyProxyHeaderInvalid',
    series: {
      ...UP,
      [mail('accepted')]: [grow(0, 1, 90)],
      [ended('proxy_header')]: [hold(0, 20), hold(1, 10), grow(1, 12, 20), hold(241, 40)],
    },
    fires: [[19.75], [20.25, headless('warning', 1)], [50, headless('warning', 241)], [81]],
  },
  {
    name: 'a health check that connects and leaves is nothing, at night either',
    alert: 'SmtpProxyProxyHeaderInvalid',
    series: {
      ...UP,
      [mail('accepted')]: [hold(50, 60)],
      [ended('client_closed')]: [grow(0, 30, 60)],
      [ended('client_reset')]: [grow(0, 30, 60)],
    },
    fires: [[5], [30], [59]],
  },
  {
    name: 'another proxy that accepts mail does not hide one that accepts none',
    alert: 'SmtpProxyProxyHeaderInvalid',
    series: {
      ...UP,
      [mail('accepted').replace('}', ', instance="two:9464"}')]: [grow(0, 10, 40)],
      [ended('proxy_header')]: [hold(0, 20), grow(0, 10, 20)],
    },
    fires: [[19.75], [26, headless('critical', 50), headless('warning', 60)]],
  },
]
