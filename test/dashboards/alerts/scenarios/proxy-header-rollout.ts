/** Connections without a valid PROXY header when instances are replaced or added: of monitors that always did so, or not. */
import { gone, grow, hold, type Scenario, UP } from './scenario.ts'
import { ended, labelled, mail, missingHeader } from './series.ts'

const headless = (severity: 'critical' | 'warning', count: number, instance = 'two:9464') =>
  missingHeader(severity, count, instance)

const OLD = 'proxy:9464'
const AT_TWO = 'instance="two:9464"'
const THREE = 'three:9464'
const AT_THREE = 'instance="three:9464"'
const HOURS = 60
const DAY = 24 * HOURS
const UPTIME = 'process_uptime_seconds'
const HEADLESS = ended('proxy_header')

/** The new instance, from that minute on. */
const second = (begins: number, minutes: number) => ({
  [labelled(UPTIME, AT_TWO)]: [gone(begins), grow(0, 60, minutes)],
})

/** An instance for three hours, with mail and a monitor that connects 4 times a minute and sends no header. */
const MONITORED = {
  [UPTIME]: [grow(100_000, 60, 3 * HOURS)],
  [mail('accepted')]: [grow(0, 10, 3 * HOURS)],
  [HEADLESS]: [grow(0, 4, 3 * HOURS)],
} as const

export const PROXY_HEADER_ROLLOUT: readonly Scenario[] = [
  {
    name: 'a rollout after which a steady monitor checks the new instance, and no mail follows, is a warning',
    alert: 'SmtpProxyProxyHeaderInvalid',
    series: {
      ...MONITORED,
      ...second(3 * HOURS, 3 * HOURS),
      [labelled(HEADLESS, AT_TWO)]: [gone(3 * HOURS), grow(0, 4, 3 * HOURS)],
    },
    fires: [
      [179, headless('warning', 120, OLD)],
      // every few minutes, from the time when only the job has a past until the instance has one
      ...([212, 215, 220, 225, 230, 235, 238, 240, 242, 244, 246, 248, 249, 250, 251, 252, 255, 260, 359] as const).map(
        (minute) => [minute, headless('warning', 120)] as const,
      ),
    ],
  },
  {
    name: 'so is one with a monitor that connects every second',
    alert: 'SmtpProxyProxyHeaderInvalid',
    series: {
      ...MONITORED,
      [HEADLESS]: [grow(0, 60, 3 * HOURS)],
      ...second(3 * HOURS, 3 * HOURS),
      [labelled(HEADLESS, AT_TWO)]: [gone(3 * HOURS), grow(0, 60, 3 * HOURS)],
    },
    fires: ([212, 220, 230, 240, 245, 247, 249, 250, 251, 255, 260, 359] as const).map(
      (minute) => [minute, headless('warning', 1800)] as const,
    ),
  },
  {
    name: 'so is a new instance that accepts one message at its start only',
    alert: 'SmtpProxyProxyHeaderInvalid',
    series: {
      ...MONITORED,
      ...second(3 * HOURS, 2 * HOURS),
      [labelled(mail('accepted'), AT_TWO)]: [gone(3 * HOURS), hold(0, 1), hold(1, 119)],
      [labelled(HEADLESS, AT_TWO)]: [gone(3 * HOURS), grow(0, 4, 2 * HOURS)],
    },
    fires: ([212, 220, 230, 240, 250, 260, 299] as const).map((minute) => [minute, headless('warning', 120)] as const),
  },
  {
    name: 'so is an instance that is added and gets no mail, where a monitor checks each instance',
    alert: 'SmtpProxyProxyHeaderInvalid',
    series: {
      ...UP,
      [mail('accepted')]: [grow(0, 10, 5 * HOURS)],
      [HEADLESS]: [grow(0, 4, 5 * HOURS)],
      ...second(3 * HOURS, 2 * HOURS),
      [labelled(HEADLESS, AT_TWO)]: [gone(3 * HOURS), grow(0, 4, 2 * HOURS)],
    },
    fires: ([210, 220, 230, 240, 250, 260, 299] as const).map((minute) => [
      minute,
      headless('warning', 120, OLD),
      headless('warning', 120),
    ]),
  },
  {
    name: 'so is a rollout on a Saturday, because on Friday there was mail beside the same monitor',
    alert: 'SmtpProxyProxyHeaderInvalid',
    every: 1,
    series: {
      [UPTIME]: [grow(100_000, 60, DAY + 18 * HOURS)],
      // from 8 to 18 o'clock
      [mail('accepted')]: [hold(0, 8 * HOURS), grow(0, 2, 10 * HOURS), hold(1200, DAY)],
      [HEADLESS]: [grow(0, 4, DAY + 18 * HOURS)],
      ...second(DAY + 18 * HOURS, 4 * HOURS),
      [labelled(HEADLESS, AT_TWO)]: [gone(DAY + 18 * HOURS), grow(0, 4, 4 * HOURS)],
    },
    fires: ([35, 40, 50, 60, 65, 70, 75, 90, 200] as const).map(
      (minute) => [DAY + 18 * HOURS + minute, headless('warning', 120)] as const,
    ),
  },
  {
    name: 'so is one early on Monday, because a week ago there was mail beside the same monitor',
    alert: 'SmtpProxyProxyHeaderInvalid',
    every: 2,
    series: {
      [UPTIME]: [grow(100_000, 60, 7 * DAY + 8 * HOURS)],
      [mail('accepted')]: [hold(0, 8 * HOURS), grow(0, 2, 10 * HOURS), hold(1200, 7 * DAY)],
      [HEADLESS]: [grow(0, 4, 7 * DAY + 8 * HOURS)],
      ...second(7 * DAY + 8 * HOURS, 3 * HOURS),
      [labelled(HEADLESS, AT_TWO)]: [gone(7 * DAY + 8 * HOURS), grow(0, 4, 3 * HOURS)],
    },
    fires: ([40, 50, 60, 66, 70, 74, 90, 170] as const).map(
      (minute) => [7 * DAY + 8 * HOURS + minute, headless('warning', 120)] as const,
    ),
  },
  {
    name: 'a load balancer that sends the new instance no header pages within ten minutes, also beside a known monitor',
    alert: 'SmtpProxyProxyHeaderInvalid',
    series: {
      ...MONITORED,
      ...second(3 * HOURS, 2 * HOURS),
      // the monitor's, and one attempt a minute
      [labelled(HEADLESS, AT_TWO)]: [gone(3 * HOURS), grow(0, 5.5, 2 * HOURS)],
    },
    fires: [
      [188, headless('warning', 44), headless('warning', 88, OLD)],
      [191, headless('critical', 55), headless('warning', 60), headless('warning', 76, OLD)],
      [299, headless('critical', 55), headless('warning', 165)],
    ],
  },
  {
    name: 'so does one that stops sending headers to a new instance that has accepted messages',
    alert: 'SmtpProxyProxyHeaderInvalid',
    series: {
      ...MONITORED,
      ...second(3 * HOURS, 2 * HOURS),
      [labelled(mail('accepted'), AT_TWO)]: [gone(3 * HOURS), grow(0, 10, 20), hold(200, 100)],
      [labelled(HEADLESS, AT_TWO)]: [gone(3 * HOURS), grow(0, 4, 20), grow(80, 10, 100)],
    },
    fires: [
      [199, headless('warning', 76), headless('warning', 44, OLD)],
      [211, headless('critical', 100), headless('warning', 187)],
      [299, headless('critical', 100), headless('warning', 300)],
    ],
  },
  {
    name: 'so does one that sends no instance of a rollout a header, for each of them',
    alert: 'SmtpProxyProxyHeaderInvalid',
    series: {
      ...MONITORED,
      ...second(3 * HOURS, 2 * HOURS),
      [labelled(UPTIME, AT_THREE)]: [gone(3 * HOURS), grow(0, 60, 2 * HOURS)],
      [labelled(HEADLESS, AT_TWO)]: [gone(3 * HOURS), grow(0, 8, 2 * HOURS)],
      [labelled(HEADLESS, AT_THREE)]: [gone(3 * HOURS), grow(0, 8, 2 * HOURS)],
    },
    fires: [
      [
        215,
        headless('critical', 80),
        headless('warning', 240),
        headless('critical', 80, THREE),
        headless('warning', 240, THREE),
      ],
    ],
  },
  {
    name: 'a rollout during an outage pages for the new instance too: sessions without a message beside them are not as usual',
    alert: 'SmtpProxyProxyHeaderInvalid',
    series: {
      ...MONITORED,
      [UPTIME]: [grow(100_000, 60, 3.5 * HOURS)],
      [HEADLESS]: [hold(0, 3 * HOURS), grow(0, 4, 0.5 * HOURS)],
      ...second(3.5 * HOURS, HOURS),
      [labelled(HEADLESS, AT_TWO)]: [gone(3.5 * HOURS), grow(0, 4, HOURS)],
    },
    fires: [
      [209, headless('critical', 40, OLD), headless('warning', 116, OLD)],
      [212, headless('critical', 32, OLD), headless('warning', 112, OLD), headless('warning', 8)],
      [
        213,
        headless('critical', 28, OLD),
        headless('warning', 108, OLD),
        headless('critical', 12),
        headless('warning', 12),
      ],
      [225, headless('warning', 60, OLD), headless('critical', 40), headless('warning', 60)],
      [269, headless('critical', 40), headless('warning', 120)],
    ],
  },
  {
    name: 'so does a rollout after a night of it',
    alert: 'SmtpProxyProxyHeaderInvalid',
    every: 1,
    series: {
      [UPTIME]: [grow(100_000, 60, DAY + 10 * HOURS)],
      // from 8 to 18 o'clock
      [mail('accepted')]: [hold(0, 8 * HOURS), grow(0, 2, 10 * HOURS), hold(1200, 16 * HOURS)],
      [HEADLESS]: [hold(0, 18 * HOURS), grow(0, 4, 16 * HOURS)],
      ...second(DAY + 10 * HOURS, 2 * HOURS),
      [labelled(HEADLESS, AT_TWO)]: [gone(DAY + 10 * HOURS), grow(0, 4, 2 * HOURS)],
    },
    fires: [
      [DAY + 10 * HOURS - 1, headless('critical', 40, OLD), headless('warning', 120, OLD)],
      [DAY + 10 * HOURS + 40, headless('critical', 40), headless('warning', 120)],
    ],
  },
  {
    name: 'so does an outage of an instance that is not new, although a monitor adds as many sessions to another one',
    alert: 'SmtpProxyProxyHeaderInvalid',
    series: {
      ...UP,
      [labelled(UPTIME, AT_TWO)]: [grow(100_000, 60, 4 * HOURS)],
      [mail('accepted')]: [grow(0, 10, 4 * HOURS)],
      [labelled(mail('accepted'), AT_TWO)]: [grow(0, 10, 3 * HOURS), hold(1800, HOURS)],
      [HEADLESS]: [grow(0, 4, 4 * HOURS)],
      [labelled(HEADLESS, AT_TWO)]: [hold(0, 3 * HOURS), grow(0, 4, HOURS)],
    },
    fires: [
      [179, headless('warning', 120, OLD)],
      [215, headless('warning', 120, OLD), headless('critical', 40), headless('warning', 120)],
    ],
  },
  {
    name: 'the first instance of the day that gets no header pages at once, because yesterday there was mail by then',
    alert: 'SmtpProxyProxyHeaderInvalid',
    every: 1,
    series: {
      [UPTIME]: [grow(100_000, 60, 20 * HOURS)],
      [mail('accepted')]: [hold(0, 8 * HOURS), grow(0, 2, 10 * HOURS), hold(1200, 2 * HOURS)],
      // a short fault at noon, which is not usual
      [HEADLESS]: [hold(0, 12 * HOURS), grow(0, 10, 10), hold(100, 8 * HOURS - 10)],
      ...second(DAY + 9 * HOURS, 3 * HOURS),
      [labelled(HEADLESS, AT_TWO)]: [gone(DAY + 9 * HOURS), grow(0, 2, 3 * HOURS)],
    },
    fires: [
      [DAY + 9 * HOURS + 4, headless('warning', 8)],
      [DAY + 9 * HOURS + 6, headless('critical', 12), headless('warning', 12)],
      [DAY + 9 * HOURS + 170, headless('critical', 20), headless('warning', 60)],
    ],
  },
]
