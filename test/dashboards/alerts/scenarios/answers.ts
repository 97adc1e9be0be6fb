/** AhaSend's final replies, and its certificate. */

import { grow, hold, type Scenario, steps, UP } from './scenario.ts'
import { BILLING, bucket, FINAL_REPLIES, mail, reply, SERVER } from './series.ts'

const doubtful = (count: number) =>
  ({
    severity: 'warning',
    labels: BILLING,
    description: `${count} messages from billing to send.ahasend.com ended in doubt in the last 30 minutes. AhaSend may have queued them. If the app sends them again, recipients may get them twice.`,
  }) as const

export const IN_DOUBT: readonly Scenario[] = [
  {
    name: 'one mail in doubt is told for half an hour',
    alert: 'AhaSendMailInDoubt',
    series: { ...UP, [mail('in_doubt', 'upstream_lost')]: [hold(0, 20), hold(1, 60)] },
    fires: [[19.75], [20.25, doubtful(1)], [45, doubtful(1)], [51]],
  },
  {
    name: 'messages in doubt after a drain are reported like all others',
    alert: 'AhaSendMailInDoubt',
    series: { ...UP, [mail('in_doubt', 'drained')]: [hold(0, 20), hold(3, 60)] },
    fires: [[19.75], [20.25, doubtful(3)], [45, doubtful(3)], [51]],
  },
  {
    name: 'the first of its kind is told, and the same after a restart',
    alert: 'AhaSendMailInDoubt',
    series: {
      process_uptime_seconds: [grow(100_000, 60, 80), grow(5, 60, 60)],
      [mail('in_doubt', '250')]: [hold(0, 0.25), hold(1, 79.75), hold(1, 60)],
    },
    fires: [[79], [80, doubtful(1)], [115]],
  },
]

const partial = (count: number) =>
  ({
    severity: 'warning',
    labels: BILLING,
    description: `send.ahasend.com confirmed ${count} messages from billing with 250 in the last 30 minutes, but with an incomplete list of ids. The app assumes that all recipients get the message.`,
  }) as const

export const PARTIALLY_QUEUED: readonly Scenario[] = [
  {
    name: 'one is told for half an hour',
    alert: 'AhaSendPartiallyQueued',
    series: { ...UP, [reply('END-OF-MESSAGE', 250, 'partially_queued')]: [hold(0, 20), hold(1, 60)] },
    fires: [[19.75], [20.25, partial(1)], [51]],
  },
]

const slow = (time: string) =>
  ({
    severity: 'warning',
    labels: SERVER,
    description: `Too many final replies of send.ahasend.com take ${time} or longer: one in twenty, or three in ten if few messages are sent. Apps with a shorter timeout give up and send messages again that AhaSend has queued.`,
  }) as const

const DURATION = 'smtp_proxy_command_duration_seconds'
const upTo = (bound: string) => bucket(DURATION, FINAL_REPLIES, bound)
const replies = `${DURATION}_count{${FINAL_REPLIES}}`

export const SLOW_FINAL_REPLIES: readonly Scenario[] = [
  {
    name: 'many slow ones are a warning within half an hour, and none an hour after it',
    alert: 'AhaSendSlowFinalReplies',
    every: 1,
    series: {
      ...UP,
      [upTo('5')]: [grow(0, 4, 60), hold(240, 20), grow(240, 4, 70)],
      [upTo('10')]: [grow(0, 4, 150)],
      [upTo('+Inf')]: [grow(0, 4, 150)],
      [replies]: [grow(0, 4, 150)],
    },
    fires: [[59], [61], [75, slow('9.517s')], [145]],
  },
  {
    name: 'one slow reply of a day with three mails an hour is nothing',
    alert: 'AhaSendSlowFinalReplies',
    every: 2,
    series: {
      ...UP,
      [upTo('5')]: [...steps(0, 20, 30), hold(30, 20), ...steps(30, 20, 10)],
      [upTo('10')]: steps(0, 20, 41),
      [upTo('+Inf')]: steps(0, 20, 41),
      [replies]: steps(0, 20, 41),
    },
    fires: [[590], [610], [630], [650], [700]],
  },
  {
    name: 'one slow reply among thirty an hour is nothing, half of them are something',
    alert: 'AhaSendSlowFinalReplies',
    every: 1,
    series: {
      ...UP,
      [upTo('5')]: [...steps(0, 2, 60), hold(60, 2), ...steps(60, 2, 40), ...steps(100, 4, 15), ...steps(115, 2, 60)],
      [upTo('10')]: steps(0, 2, 191),
      [upTo('+Inf')]: steps(0, 2, 191),
      [replies]: steps(0, 2, 191),
    },
    fires: [[119], [121], [130], [140], [200], [240, slow('7.273s')], [330]],
  },
  {
    name: 'one slow reply is nothing at three mails an hour, many are something',
    alert: 'AhaSendSlowFinalReplies',
    every: 2,
    series: {
      ...UP,
      [upTo('5')]: [...steps(0, 20, 3), hold(3, 20), ...steps(3, 20, 8), hold(11, 400)],
      [upTo('10')]: [...steps(0, 20, 32)],
      [upTo('+Inf')]: [...steps(0, 20, 32)],
      [replies]: [...steps(0, 20, 32)],
    },
    fires: [[62], [70], [200], [400, slow('7.3s')]],
  },
]

const DAY = 86_400
const certificate = (severity: 'critical' | 'warning', time: string) =>
  ({
    severity,
    description: `The last certificate that an upstream presented expires in ${time}. If AhaSend does not renew it, all connections fail from then on: the proxy does not accept an expired certificate.`,
  }) as const

export const UPSTREAM_CERTIFICATE: readonly Scenario[] = [
  {
    name: 'is a warning in its last week, critical in its last two days, and nothing when it was renewed',
    alert: 'AhaSendCertificateExpiring',
    every: 60,
    series: {
      'smtp_proxy_certificate_not_after_seconds{tls_side="upstream"}': [hold(10 * DAY, 9 * 1440), hold(90 * DAY, 1440)],
      'smtp_proxy_certificate_not_after_seconds{tls_side="listener"}': [hold(0, 10 * 1440)],
    },
    fires: [
      [2 * 1440],
      [5 * 1440, certificate('warning', '5d 0h 0m 0s')],
      [8.5 * 1440, certificate('warning', '1d 12h 0m 0s'), certificate('critical', '1d 12h 0m 0s')],
      [9.5 * 1440],
    ],
  },
]
