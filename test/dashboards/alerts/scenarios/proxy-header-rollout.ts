/** Connections without a valid PROXY header when instances are replaced or added, with and without a known monitor. */
import { gone, grow, hold, LONG_RUNNING, type Scenario } from './scenario.ts'
import { ended, messages, missingHeader, withLabel } from './series.ts'

const missing = (severity: 'critical' | 'warning', count: number, instance = 'two:9464') =>
  missingHeader(severity, count, instance)

const OLD = 'proxy:9464'
const AT_TWO = 'instance="two:9464"'
const THREE = 'three:9464'
const AT_THREE = 'instance="three:9464"'
const HOURS = 60
const DAY = 24 * HOURS
const UPTIME = 'process_uptime_seconds'
const HEADLESS = ended('proxy_header')

/** The uptime of the new instance, which starts at minute `begins`. */
const second = (begins: number, minutes: number) => ({
  [withLabel(UPTIME, AT_TWO)]: [gone(begins), grow(0, 60, minutes)],
})

/** An instance that runs for three hours, with mail and a monitor that connects 4 times a minute without a header. */
const MONITORED = {
  [UPTIME]: [grow(100_000, 60, 3 * HOURS)],
  [messages('accepted')]: [grow(0, 10, 3 * HOURS)],
  [HEADLESS]: [grow(0, 4, 3 * HOURS)],
} as const

export const PROXY_HEADER_ROLLOUT: readonly Scenario[] = [
  {
    name: 'a rollout is a warning if a steady monitor then checks the new instance and no mail follows',
    alert: 'SmtpProxyProxyHeaderInvalid',
    series: {
      ...MONITORED,
      ...second(3 * HOURS, 3 * HOURS),
      [withLabel(HEADLESS, AT_TWO)]: [gone(3 * HOURS), grow(0, 4, 3 * HOURS)],
    },
    fires: [
      [179, missing('warning', 120, OLD)],
      // from when the alert can compare the instance only with its job until it can compare it with itself
      ...([212, 215, 220, 225, 230, 235, 238, 240, 242, 244, 246, 248, 249, 250, 251, 252, 255, 260, 359] as const).map(
        (minute) => [minute, missing('warning', 120)] as const,
      ),
    ],
  },
  {
    name: 'a rollout is a warning with a monitor that connects every second',
    alert: 'SmtpProxyProxyHeaderInvalid',
    series: {
      ...MONITORED,
      [HEADLESS]: [grow(0, 60, 3 * HOURS)],
      ...second(3 * HOURS, 3 * HOURS),
      [withLabel(HEADLESS, AT_TWO)]: [gone(3 * HOURS), grow(0, 60, 3 * HOURS)],
    },
    fires: ([212, 220, 230, 240, 245, 247, 249, 250, 251, 255, 260, 359] as const).map(
      (minute) => [minute, missing('warning', 1800)] as const,
    ),
  },
  {
    name: 'a new instance that accepts only one message, at its start, is a warning',
    alert: 'SmtpProxyProxyHeaderInvalid',
    series: {
      ...MONITORED,
      ...second(3 * HOURS, 2 * HOURS),
      [withLabel(messages('accepted'), AT_TWO)]: [gone(3 * HOURS), hold(0, 1), hold(1, 119)],
      [withLabel(HEADLESS, AT_TWO)]: [gone(3 * HOURS), grow(0, 4, 2 * HOURS)],
    },
    fires: ([212, 220, 230, 240, 250, 260, 299] as const).map((minute) => [minute, missing('warning', 120)] as const),
  },
  {
    name: 'an added instance without mail is a warning if a monitor checks each instance',
    alert: 'SmtpProxyProxyHeaderInvalid',
    series: {
      ...LONG_RUNNING,
      [messages('accepted')]: [grow(0, 10, 5 * HOURS)],
      [HEADLESS]: [grow(0, 4, 5 * HOURS)],
      ...second(3 * HOURS, 2 * HOURS),
      [withLabel(HEADLESS, AT_TWO)]: [gone(3 * HOURS), grow(0, 4, 2 * HOURS)],
    },
    fires: ([210, 220, 230, 240, 250, 260, 299] as const).map((minute) => [
      minute,
      missing('warning', 120, OLD),
      missing('warning', 120),
    ]),
  },
  {
    name: 'a rollout on a Saturday is a warning: on Friday, messages were accepted with the same monitor',
    alert: 'SmtpProxyProxyHeaderInvalid',
    every: 1,
    series: {
      [UPTIME]: [grow(100_000, 60, DAY + 18 * HOURS)],
      // from 08:00 to 18:00
      [messages('accepted')]: [hold(0, 8 * HOURS), grow(0, 2, 10 * HOURS), hold(1200, DAY)],
      [HEADLESS]: [grow(0, 4, DAY + 18 * HOURS)],
      ...second(DAY + 18 * HOURS, 4 * HOURS),
      [withLabel(HEADLESS, AT_TWO)]: [gone(DAY + 18 * HOURS), grow(0, 4, 4 * HOURS)],
    },
    fires: ([35, 40, 50, 60, 65, 70, 75, 90, 200] as const).map(
      (minute) => [DAY + 18 * HOURS + minute, missing('warning', 120)] as const,
    ),
  },
  {
    name: 'a rollout early on Monday is a warning: a week ago, messages were accepted with the same monitor',
    alert: 'SmtpProxyProxyHeaderInvalid',
    every: 2,
    series: {
      [UPTIME]: [grow(100_000, 60, 7 * DAY + 8 * HOURS)],
      [messages('accepted')]: [hold(0, 8 * HOURS), grow(0, 2, 10 * HOURS), hold(1200, 7 * DAY)],
      [HEADLESS]: [grow(0, 4, 7 * DAY + 8 * HOURS)],
      ...second(7 * DAY + 8 * HOURS, 3 * HOURS),
      [withLabel(HEADLESS, AT_TWO)]: [gone(7 * DAY + 8 * HOURS), grow(0, 4, 3 * HOURS)],
    },
    fires: ([40, 50, 60, 66, 70, 74, 90, 170] as const).map(
      (minute) => [7 * DAY + 8 * HOURS + minute, missing('warning', 120)] as const,
    ),
  },
  {
    name: 'a load balancer that sends the new instance no header is critical within ten minutes, even with a known monitor',
    alert: 'SmtpProxyProxyHeaderInvalid',
    series: {
      ...MONITORED,
      ...second(3 * HOURS, 2 * HOURS),
      // 4 a minute from the monitor, 1.5 a minute from the load balancer
      [withLabel(HEADLESS, AT_TWO)]: [gone(3 * HOURS), grow(0, 5.5, 2 * HOURS)],
    },
    fires: [
      [188, missing('warning', 44), missing('warning', 88, OLD)],
      [191, missing('critical', 55), missing('warning', 60), missing('warning', 76, OLD)],
      [299, missing('critical', 55), missing('warning', 165)],
    ],
  },
  {
    name: 'a load balancer that stops sending headers to a new instance that accepted messages is critical',
    alert: 'SmtpProxyProxyHeaderInvalid',
    series: {
      ...MONITORED,
      ...second(3 * HOURS, 2 * HOURS),
      [withLabel(messages('accepted'), AT_TWO)]: [gone(3 * HOURS), grow(0, 10, 20), hold(200, 100)],
      [withLabel(HEADLESS, AT_TWO)]: [gone(3 * HOURS), grow(0, 4, 20), grow(80, 10, 100)],
    },
    fires: [
      [199, missing('warning', 76), missing('warning', 44, OLD)],
      [211, missing('critical', 100), missing('warning', 187)],
      [299, missing('critical', 100), missing('warning', 300)],
    ],
  },
  {
    name: 'a load balancer that sends no header to any new instance is critical for each instance',
    alert: 'SmtpProxyProxyHeaderInvalid',
    series: {
      ...MONITORED,
      ...second(3 * HOURS, 2 * HOURS),
      [withLabel(UPTIME, AT_THREE)]: [gone(3 * HOURS), grow(0, 60, 2 * HOURS)],
      [withLabel(HEADLESS, AT_TWO)]: [gone(3 * HOURS), grow(0, 8, 2 * HOURS)],
      [withLabel(HEADLESS, AT_THREE)]: [gone(3 * HOURS), grow(0, 8, 2 * HOURS)],
    },
    fires: [
      [
        215,
        missing('critical', 80),
        missing('warning', 240),
        missing('critical', 80, THREE),
        missing('warning', 240, THREE),
      ],
    ],
  },
  {
    name: 'a rollout during an outage is critical for the new instance too: windows without accepted messages do not count as usual',
    alert: 'SmtpProxyProxyHeaderInvalid',
    series: {
      ...MONITORED,
      [UPTIME]: [grow(100_000, 60, 3.5 * HOURS)],
      [HEADLESS]: [hold(0, 3 * HOURS), grow(0, 4, 0.5 * HOURS)],
      ...second(3.5 * HOURS, HOURS),
      [withLabel(HEADLESS, AT_TWO)]: [gone(3.5 * HOURS), grow(0, 4, HOURS)],
    },
    fires: [
      [209, missing('critical', 40, OLD), missing('warning', 116, OLD)],
      [212, missing('critical', 32, OLD), missing('warning', 112, OLD), missing('warning', 8)],
      [
        213,
        missing('critical', 28, OLD),
        missing('warning', 108, OLD),
        missing('critical', 12),
        missing('warning', 12),
      ],
      [225, missing('warning', 60, OLD), missing('critical', 40), missing('warning', 60)],
      [269, missing('critical', 40), missing('warning', 120)],
    ],
  },
  {
    name: 'a rollout after a night-long outage is critical',
    alert: 'SmtpProxyProxyHeaderInvalid',
    every: 1,
    series: {
      [UPTIME]: [grow(100_000, 60, DAY + 10 * HOURS)],
      // from 08:00 to 18:00
      [messages('accepted')]: [hold(0, 8 * HOURS), grow(0, 2, 10 * HOURS), hold(1200, 16 * HOURS)],
      [HEADLESS]: [hold(0, 18 * HOURS), grow(0, 4, 16 * HOURS)],
      ...second(DAY + 10 * HOURS, 2 * HOURS),
      [withLabel(HEADLESS, AT_TWO)]: [gone(DAY + 10 * HOURS), grow(0, 4, 2 * HOURS)],
    },
    fires: [
      [DAY + 10 * HOURS - 1, missing('critical', 40, OLD), missing('warning', 120, OLD)],
      [DAY + 10 * HOURS + 40, missing('critical', 40), missing('warning', 120)],
    ],
  },
  {
    name: 'an outage of an older instance is critical, although a monitor opens as many sessions to another instance',
    alert: 'SmtpProxyProxyHeaderInvalid',
    series: {
      ...LONG_RUNNING,
      [withLabel(UPTIME, AT_TWO)]: [grow(100_000, 60, 4 * HOURS)],
      [messages('accepted')]: [grow(0, 10, 4 * HOURS)],
      [withLabel(messages('accepted'), AT_TWO)]: [grow(0, 10, 3 * HOURS), hold(1800, HOURS)],
      [HEADLESS]: [grow(0, 4, 4 * HOURS)],
      [withLabel(HEADLESS, AT_TWO)]: [hold(0, 3 * HOURS), grow(0, 4, HOURS)],
    },
    fires: [
      [179, missing('warning', 120, OLD)],
      [215, missing('warning', 120, OLD), missing('critical', 40), missing('warning', 120)],
    ],
  },
  {
    name: 'the first instance of the day without headers is critical within minutes: yesterday, messages were accepted at this time',
    alert: 'SmtpProxyProxyHeaderInvalid',
    every: 1,
    series: {
      [UPTIME]: [grow(100_000, 60, 20 * HOURS)],
      [messages('accepted')]: [hold(0, 8 * HOURS), grow(0, 2, 10 * HOURS), hold(1200, 2 * HOURS)],
      // a short fault at noon, which the median ignores
      [HEADLESS]: [hold(0, 12 * HOURS), grow(0, 10, 10), hold(100, 8 * HOURS - 10)],
      ...second(DAY + 9 * HOURS, 3 * HOURS),
      [withLabel(HEADLESS, AT_TWO)]: [gone(DAY + 9 * HOURS), grow(0, 2, 3 * HOURS)],
    },
    fires: [
      [DAY + 9 * HOURS + 4, missing('warning', 8)],
      [DAY + 9 * HOURS + 6, missing('critical', 12), missing('warning', 12)],
      [DAY + 9 * HOURS + 170, missing('critical', 20), missing('warning', 60)],
    ],
  },
]
