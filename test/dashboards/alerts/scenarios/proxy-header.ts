/** Connections without a valid PROXY header: from a load balancer that lost its setting, and from monitors. */
import { gone, grow, hold, LONG_RUNNING, type Scenario } from './scenario.ts'
import { ended, messages, missingHeader, withLabel } from './series.ts'

const missing = (severity: 'critical' | 'warning', count: number, instance = 'proxy:9464') =>
  missingHeader(severity, count, instance)

const AT_TWO = 'instance="two:9464"'
const HOURS = 60
const DAY = 24 * HOURS

export const PROXY_HEADER: readonly Scenario[] = [
  {
    name: 'a load balancer that stops sending the PROXY header is critical after ten minutes, until messages are accepted again',
    alert: 'SmtpProxyProxyHeaderInvalid',
    series: {
      ...LONG_RUNNING,
      [messages('accepted')]: [grow(0, 10, 60), hold(600, 180), grow(600, 10, 60)],
      [ended('proxy_header')]: [hold(0, 60), grow(0, 10, 180), hold(1800, 60)],
    },
    fires: [
      [59.75],
      [60.25, missing('warning', 2)],
      [69, missing('warning', 90)],
      [70.25, missing('critical', 100), missing('warning', 102)],
      // fires while the outage lasts, even when the hour before had no messages and as many such sessions
      [239, missing('critical', 100), missing('warning', 300)],
      [242, missing('warning', 280)],
      [271],
    ],
  },
  {
    name: 'it is also critical in addition to a monitor that never sends a header',
    alert: 'SmtpProxyProxyHeaderInvalid',
    series: {
      ...LONG_RUNNING,
      [messages('accepted')]: [grow(0, 2, 100), hold(200, 60)],
      [ended('proxy_header')]: [grow(0, 4, 100), grow(400, 6, 60)],
    },
    fires: [
      [99, missing('warning', 120)],
      [111, missing('critical', 60), missing('warning', 142)],
    ],
  },
  {
    name: 'a monitor that waits for a greeting every 15 seconds is a warning, by day and in a night without mail',
    alert: 'SmtpProxyProxyHeaderInvalid',
    series: {
      ...LONG_RUNNING,
      [messages('accepted')]: [grow(0, 10, 120), hold(1200, 600)],
      [ended('proxy_header')]: [grow(0, 4, 720)],
    },
    fires: ([60, 119, 125, 131, 140, 180, 240, 719] as const).map((minute) => [minute, missing('warning', 120)]),
  },
  {
    name: 'a monitor that starts in a night without mail is a warning',
    alert: 'SmtpProxyProxyHeaderInvalid',
    series: {
      ...LONG_RUNNING,
      [messages('accepted')]: [grow(0, 10, 60), hold(600, 360)],
      [ended('proxy_header')]: [hold(0, 180), grow(0, 4, 240)],
    },
    fires: [
      [179],
      [185, missing('warning', 20)],
      [195, missing('warning', 60)],
      [260, missing('warning', 120)],
      [419, missing('warning', 120)],
    ],
  },
  {
    name: 'a setting that is lost in a night without mail is critical in the morning: yesterday, messages were accepted at this time',
    alert: 'SmtpProxyProxyHeaderInvalid',
    every: 1,
    series: {
      process_uptime_seconds: [grow(100_000, 60, 2 * DAY)],
      // from 08:00 to 18:00
      [messages('accepted')]: [hold(0, 8 * HOURS), grow(0, 2, 10 * HOURS), hold(1200, 22 * HOURS)],
      [ended('proxy_header')]: [hold(0, DAY + 8 * HOURS), grow(0, 2, 8 * HOURS)],
    },
    fires: [
      [DAY + 8 * HOURS - 1],
      [DAY + 8 * HOURS + 4, missing('warning', 8)],
      [DAY + 8 * HOURS + 11, missing('critical', 20), missing('warning', 22)],
    ],
  },
  {
    name: 'a setting that is lost at the weekend is critical on Monday morning: a week ago, messages were accepted at this time',
    alert: 'SmtpProxyProxyHeaderInvalid',
    every: 4,
    series: {
      process_uptime_seconds: [grow(100_000, 60, 8 * DAY)],
      [messages('accepted')]: [hold(0, 8 * HOURS), grow(0, 2, 10 * HOURS), hold(1200, 7 * DAY)],
      [ended('proxy_header')]: [hold(0, 7 * DAY + 8 * HOURS), grow(0, 2, 8 * HOURS)],
    },
    fires: [[7 * DAY + 8 * HOURS - 4], [7 * DAY + 8 * HOURS + 40, missing('critical', 20), missing('warning', 60)]],
  },
  {
    name: 'one of two load balancers without a header is a warning while messages arrive through the other one',
    alert: 'SmtpProxyProxyHeaderInvalid',
    series: {
      ...LONG_RUNNING,
      [messages('accepted')]: [grow(0, 10, 60), grow(600, 5, 60)],
      [ended('proxy_header')]: [hold(0, 60), grow(0, 5, 60)],
    },
    fires: [[59.75], [60.5, missing('warning', 2)], [75, missing('warning', 75)], [119, missing('warning', 150)]],
  },
  {
    name: 'a proxy that gets no valid header is critical, although another proxy accepts messages',
    alert: 'SmtpProxyProxyHeaderInvalid',
    series: {
      ...LONG_RUNNING,
      [messages('accepted')]: [grow(0, 10, 60), hold(600, 40)],
      [withLabel(messages('accepted'), AT_TWO)]: [grow(0, 10, 100)],
      [ended('proxy_header')]: [hold(0, 60), grow(0, 10, 40)],
    },
    fires: [[59.75], [66, missing('warning', 60)], [75, missing('critical', 100), missing('warning', 150)]],
  },
  {
    name: 'a new instance without headers is critical if it replaces an instance that accepted messages',
    alert: 'SmtpProxyProxyHeaderInvalid',
    series: {
      ...LONG_RUNNING,
      [withLabel('process_uptime_seconds', AT_TWO)]: [gone(60), grow(0, 60, 40)],
      [messages('accepted')]: [grow(0, 10, 60)],
      [withLabel(ended('proxy_header'), AT_TWO)]: [gone(60), grow(0, 10, 40)],
    },
    fires: [
      [59.75],
      [75, missing('critical', 100, 'two:9464'), missing('warning', 150, 'two:9464')],
      [99, missing('critical', 100, 'two:9464'), missing('warning', 300, 'two:9464')],
    ],
  },
  {
    name: 'a health check that connects and disconnects does not fire, not even at night',
    alert: 'SmtpProxyProxyHeaderInvalid',
    series: {
      ...LONG_RUNNING,
      [messages('accepted')]: [hold(50, 60)],
      [ended('client_closed')]: [grow(0, 30, 60)],
      [ended('client_reset')]: [grow(0, 30, 60)],
    },
    fires: [[5], [30], [59]],
  },
  {
    name: 'the first connection without a header is a warning',
    alert: 'SmtpProxyProxyHeaderInvalid',
    series: {
      ...LONG_RUNNING,
      [messages('accepted')]: [grow(0, 1, 60)],
      [ended('proxy_header')]: [hold(0, 20), hold(1, 40)],
    },
    fires: [[19.75], [20.25, missing('warning', 1)], [51]],
  },
]
