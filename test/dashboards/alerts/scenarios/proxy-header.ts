/** Connections without a valid PROXY header: of a load balancer that lost its setting, and of monitors. */
import { gone, grow, hold, type Scenario, UP } from './scenario.ts'
import { ended, labelled, mail, missingHeader } from './series.ts'

const headless = (severity: 'critical' | 'warning', count: number, instance = 'proxy:9464') =>
  missingHeader(severity, count, instance)

const AT_TWO = 'instance="two:9464"'
const HOURS = 60
const DAY = 24 * HOURS

export const PROXY_HEADER: readonly Scenario[] = [
  {
    name: 'a load balancer that no longer sends a PROXY header pages after ten minutes, until messages are accepted again',
    alert: 'SmtpProxyProxyHeaderInvalid',
    series: {
      ...UP,
      [mail('accepted')]: [grow(0, 10, 60), hold(600, 180), grow(600, 10, 60)],
      [ended('proxy_header')]: [hold(0, 60), grow(0, 10, 180), hold(1800, 60)],
    },
    fires: [
      [59.75],
      [60.25, headless('warning', 2)],
      [69, headless('warning', 90)],
      [70.25, headless('critical', 100), headless('warning', 102)],
      // for as long as it lasts, also when the hour before had neither messages nor fewer faults
      [239, headless('critical', 100), headless('warning', 300)],
      [242, headless('warning', 280)],
      [271],
    ],
  },
  {
    name: 'so does one beside a monitor that never sends a header',
    alert: 'SmtpProxyProxyHeaderInvalid',
    series: {
      ...UP,
      [mail('accepted')]: [grow(0, 2, 100), hold(200, 60)],
      [ended('proxy_header')]: [grow(0, 4, 100), grow(400, 6, 60)],
    },
    fires: [
      [99, headless('warning', 120)],
      [111, headless('critical', 60), headless('warning', 142)],
    ],
  },
  {
    name: 'a monitor that waits for a greeting every 15 seconds is a warning, by day and in a night without mail',
    alert: 'SmtpProxyProxyHeaderInvalid',
    series: {
      ...UP,
      [mail('accepted')]: [grow(0, 10, 120), hold(1200, 600)],
      [ended('proxy_header')]: [grow(0, 4, 720)],
    },
    fires: ([60, 119, 125, 131, 140, 180, 240, 719] as const).map((minute) => [minute, headless('warning', 120)]),
  },
  {
    name: 'so is a monitor that begins in a night without mail',
    alert: 'SmtpProxyProxyHeaderInvalid',
    series: {
      ...UP,
      [mail('accepted')]: [grow(0, 10, 60), hold(600, 360)],
      [ended('proxy_header')]: [hold(0, 180), grow(0, 4, 240)],
    },
    fires: [
      [179],
      [185, headless('warning', 20)],
      [195, headless('warning', 60)],
      [260, headless('warning', 120)],
      [419, headless('warning', 120)],
    ],
  },
  {
    name: 'a setting that is lost in a night without mail pages in the morning, because yesterday there was mail by then',
    alert: 'SmtpProxyProxyHeaderInvalid',
    every: 1,
    series: {
      process_uptime_seconds: [grow(100_000, 60, 2 * DAY)],
      // from 8 to 18 o'clock
      [mail('accepted')]: [hold(0, 8 * HOURS), grow(0, 2, 10 * HOURS), hold(1200, 22 * HOURS)],
      [ended('proxy_header')]: [hold(0, DAY + 8 * HOURS), grow(0, 2, 8 * HOURS)],
    },
    fires: [
      [DAY + 8 * HOURS - 1],
      [DAY + 8 * HOURS + 4, headless('warning', 8)],
      [DAY + 8 * HOURS + 11, headless('critical', 20), headless('warning', 22)],
    ],
  },
  {
    name: 'so does one on Monday morning, because there was mail a week ago',
    alert: 'SmtpProxyProxyHeaderInvalid',
    every: 4,
    series: {
      process_uptime_seconds: [grow(100_000, 60, 8 * DAY)],
      [mail('accepted')]: [hold(0, 8 * HOURS), grow(0, 2, 10 * HOURS), hold(1200, 7 * DAY)],
      [ended('proxy_header')]: [hold(0, 7 * DAY + 8 * HOURS), grow(0, 2, 8 * HOURS)],
    },
    fires: [[7 * DAY + 8 * HOURS - 4], [7 * DAY + 8 * HOURS + 40, headless('critical', 20), headless('warning', 60)]],
  },
  {
    name: 'one of two load balancers without a header is a warning, while the other one brings messages',
    alert: 'SmtpProxyProxyHeaderInvalid',
    series: {
      ...UP,
      [mail('accepted')]: [grow(0, 10, 60), grow(600, 5, 60)],
      [ended('proxy_header')]: [hold(0, 60), grow(0, 5, 60)],
    },
    fires: [[59.75], [60.5, headless('warning', 2)], [75, headless('warning', 75)], [119, headless('warning', 150)]],
  },
  {
    name: 'a proxy that gets no valid header pages, although another one accepts messages',
    alert: 'SmtpProxyProxyHeaderInvalid',
    series: {
      ...UP,
      [mail('accepted')]: [grow(0, 10, 60), hold(600, 40)],
      [labelled(mail('accepted'), AT_TWO)]: [grow(0, 10, 100)],
      [ended('proxy_header')]: [hold(0, 60), grow(0, 10, 40)],
    },
    fires: [[59.75], [66, headless('warning', 60)], [75, headless('critical', 100), headless('warning', 150)]],
  },
  {
    name: 'so does a new instance that takes the place of the one that accepted messages',
    alert: 'SmtpProxyProxyHeaderInvalid',
    series: {
      ...UP,
      [labelled('process_uptime_seconds', AT_TWO)]: [gone(60), grow(0, 60, 40)],
      [mail('accepted')]: [grow(0, 10, 60)],
      [labelled(ended('proxy_header'), AT_TWO)]: [gone(60), grow(0, 10, 40)],
    },
    fires: [
      [59.75],
      [75, headless('critical', 100, 'two:9464'), headless('warning', 150, 'two:9464')],
      [99, headless('critical', 100, 'two:9464'), headless('warning', 300, 'two:9464')],
    ],
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
    name: 'the first connection without a header is a warning',
    alert: 'SmtpProxyProxyHeaderInvalid',
    series: { ...UP, [mail('accepted')]: [grow(0, 1, 60)], [ended('proxy_header')]: [hold(0, 20), hold(1, 40)] },
    fires: [[19.75], [20.25, headless('warning', 1)], [51]],
  },
]
