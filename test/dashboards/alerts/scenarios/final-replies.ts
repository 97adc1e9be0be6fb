/** Alerts about AhaSend's final replies. */

import { grow, hold, LONG_RUNNING, type Scenario, steps } from './scenario.ts'
import { BILLING, bucket, FINAL_REPLIES, messages, reply, SERVER } from './series.ts'

const inDoubt = (count: number) =>
  ({
    severity: 'warning',
    labels: BILLING,
    description: `${count} messages from billing to send.ahasend.com ended in doubt in the last 30 minutes. AhaSend may have queued them. If the app sends them again, recipients may get them twice.`,
  }) as const

export const IN_DOUBT: readonly Scenario[] = [
  {
    name: 'one message in doubt fires for half an hour',
    alert: 'AhaSendMailInDoubt',
    series: { ...LONG_RUNNING, [messages('in_doubt', 'upstream_lost')]: [hold(0, 20), hold(1, 60)] },
    fires: [[19.75], [20.25, inDoubt(1)], [45, inDoubt(1)], [51]],
  },
  {
    name: 'messages in doubt after a drain fire like all others',
    alert: 'AhaSendMailInDoubt',
    series: { ...LONG_RUNNING, [messages('in_doubt', 'drained')]: [hold(0, 20), hold(3, 60)] },
    fires: [[19.75], [20.25, inDoubt(3)], [45, inDoubt(3)], [51]],
  },
  {
    name: 'the first message in doubt of a series fires, and so does the first one after a restart',
    alert: 'AhaSendMailInDoubt',
    series: {
      process_uptime_seconds: [grow(100_000, 60, 80), grow(5, 60, 60)],
      [messages('in_doubt', '250')]: [hold(0, 0.25), hold(1, 79.75), hold(1, 60)],
    },
    fires: [[79], [80, inDoubt(1)], [115]],
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
    name: 'one partially queued message fires for half an hour',
    alert: 'AhaSendPartiallyQueued',
    series: { ...LONG_RUNNING, [reply('END-OF-MESSAGE', 250, 'partially_queued')]: [hold(0, 20), hold(1, 60)] },
    fires: [[19.75], [20.25, partial(1)], [51]],
  },
]

const slow = (time: string) =>
  ({
    severity: 'warning',
    labels: SERVER,
    description: `Too many final replies of send.ahasend.com take ${time} or longer: one in twenty, or three in ten if few messages are sent. Apps with a shorter timeout give up and resend messages that AhaSend has already queued.`,
  }) as const

const DURATION = 'smtp_proxy_command_duration_seconds'
const upTo = (bound: string) => bucket(DURATION, FINAL_REPLIES, bound)
const replies = `${DURATION}_count{${FINAL_REPLIES}}`

export const SLOW_FINAL_REPLIES: readonly Scenario[] = [
  {
    name: 'many slow replies are a warning within half an hour and resolve an hour after the last one',
    alert: 'AhaSendSlowFinalReplies',
    every: 1,
    series: {
      ...LONG_RUNNING,
      [upTo('5')]: [grow(0, 4, 60), hold(240, 20), grow(240, 4, 70)],
      [upTo('10')]: [grow(0, 4, 150)],
      [upTo('+Inf')]: [grow(0, 4, 150)],
      [replies]: [grow(0, 4, 150)],
    },
    fires: [[59], [61], [75, slow('9.517s')], [145]],
  },
  {
    name: 'one slow reply a day does not fire at three messages an hour',
    alert: 'AhaSendSlowFinalReplies',
    every: 2,
    series: {
      ...LONG_RUNNING,
      [upTo('5')]: [...steps(0, 20, 30), hold(30, 20), ...steps(30, 20, 10)],
      [upTo('10')]: steps(0, 20, 41),
      [upTo('+Inf')]: steps(0, 20, 41),
      [replies]: steps(0, 20, 41),
    },
    fires: [[590], [610], [630], [650], [700]],
  },
  {
    name: 'at thirty replies an hour, one slow reply does not fire, but 15 do',
    alert: 'AhaSendSlowFinalReplies',
    every: 1,
    series: {
      ...LONG_RUNNING,
      [upTo('5')]: [...steps(0, 2, 60), hold(60, 2), ...steps(60, 2, 40), ...steps(100, 4, 15), ...steps(115, 2, 60)],
      [upTo('10')]: steps(0, 2, 191),
      [upTo('+Inf')]: steps(0, 2, 191),
      [replies]: steps(0, 2, 191),
    },
    fires: [[119], [121], [130], [140], [200], [240, slow('7.273s')], [330]],
  },
  {
    name: 'at three messages an hour, one slow reply does not fire, but many do',
    alert: 'AhaSendSlowFinalReplies',
    every: 2,
    series: {
      ...LONG_RUNNING,
      [upTo('5')]: [...steps(0, 20, 3), hold(3, 20), ...steps(3, 20, 8), hold(11, 400)],
      [upTo('10')]: [...steps(0, 20, 32)],
      [upTo('+Inf')]: [...steps(0, 20, 32)],
      [replies]: [...steps(0, 20, 32)],
    },
    fires: [[62], [70], [200], [400, slow('7.3s')]],
  },
]
