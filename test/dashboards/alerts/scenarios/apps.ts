/** Alerts about the messages, recipients and idle connections of apps. */

import { grow, hold, LONG_RUNNING, type Scenario, steps } from './scenario.ts'
import { BILLING, ENDED_SESSIONS, messages, reply } from './series.ts'

const domain = (count: number) =>
  ({
    severity: 'warning',
    labels: BILLING,
    description: `send.ahasend.com answered 556 to billing ${count} times in the last 30 minutes: the account or the sending domain is not configured. AhaSend refuses all mail from that domain.`,
  }) as const

export const DOMAIN_NOT_CONFIGURED: readonly Scenario[] = [
  {
    name: 'the first refusal fires for half an hour',
    alert: 'AhaSendDomainNotConfigured',
    series: { ...LONG_RUNNING, [reply('MAIL', 556, 'domain_not_configured')]: [hold(0, 20), hold(1, 60)] },
    fires: [[19.75], [20.25, domain(1)], [49, domain(1)], [51]],
  },
  {
    name: 'three refused messages an hour fire without gaps',
    alert: 'AhaSendDomainNotConfigured',
    series: { ...LONG_RUNNING, [reply('MAIL', 556, 'domain_not_configured')]: [hold(0, 20), ...steps(0, 20, 4)] },
    fires: [[19.75], [21, domain(1)], [39, domain(1)], [59, domain(1)], [65, domain(2)], [79, domain(1)]],
  },
]

const format = (count: number) =>
  ({
    severity: 'warning',
    labels: BILLING,
    description: `send.ahasend.com answered 552 to ${count} messages from billing in the last hour: their format is invalid. Sending them again does not help.`,
  }) as const
const wrongFormat = reply('END-OF-MESSAGE', 552, 'message_format')

export const MESSAGE_FORMAT: readonly Scenario[] = [
  {
    name: 'several refused messages of an app fire, and resolve after an hour without any',
    alert: 'AhaSendMessageFormatRejected',
    every: 1,
    series: {
      ...LONG_RUNNING,
      [messages('accepted')]: [grow(0, 2, 150)],
      [messages('permfail', '552')]: [hold(0, 60), ...steps(0, 2, 5), hold(5, 80)],
      [wrongFormat]: [hold(0, 60), ...steps(0, 2, 5), hold(5, 80)],
    },
    fires: [[59], [62], [69, format(5)], [135]],
  },
  {
    name: 'a few of many messages do not fire',
    alert: 'AhaSendMessageFormatRejected',
    every: 1,
    series: {
      ...LONG_RUNNING,
      [messages('accepted')]: [grow(0, 20, 90)],
      [messages('permfail', '552')]: [hold(0, 60), hold(5, 30)],
      [wrongFormat]: [hold(0, 60), hold(5, 30)],
    },
    fires: [[59], [62], [80]],
  },
  {
    name: 'three messages an hour, all refused, fire at the third refusal',
    alert: 'AhaSendMessageFormatRejected',
    every: 1,
    series: {
      ...LONG_RUNNING,
      [messages('accepted')]: [...steps(0, 20, 3), hold(3, 80)],
      [messages('permfail', '552')]: [hold(0, 60), ...steps(0, 20, 4)],
      [wrongFormat]: [hold(0, 60), ...steps(0, 20, 4)],
    },
    fires: [[59], [61], [99], [103, format(3)]],
  },
]

const rejected = (count: number) =>
  ({
    severity: 'warning',
    labels: BILLING,
    description: `send.ahasend.com answered 553 to ${count} recipients of billing in the last hour: their domains are toxic, temporary or misspelled. Too many such recipients harm the reputation of the account.`,
  }) as const
const recipients = (verdict: string) =>
  `smtp_proxy_recipients_total{smtp_recipient_verdict="${verdict}", server_address="send.ahasend.com", smtp_client_name="billing"}`

export const RECIPIENTS: readonly Scenario[] = [
  {
    name: 'many refused recipients of an app fire, and resolve after an hour without any',
    alert: 'AhaSendRecipientsRejected',
    every: 1,
    series: {
      ...LONG_RUNNING,
      [recipients('accepted')]: [grow(0, 2, 180)],
      [recipients('permfail')]: [hold(0, 60), grow(0, 1, 20), hold(20, 100)],
      [reply('RCPT', 553, 'recipient_rejected')]: [hold(0, 60), grow(0, 1, 20), hold(20, 100)],
    },
    fires: [[59], [65], [79, rejected(19)], [145]],
  },
  {
    name: 'an occasional typo does not fire',
    alert: 'AhaSendRecipientsRejected',
    every: 1,
    series: {
      ...LONG_RUNNING,
      [recipients('accepted')]: [...steps(0, 20, 6)],
      [recipients('permfail')]: [hold(0, 60), hold(1, 60)],
      [reply('RCPT', 553, 'recipient_rejected')]: [hold(0, 60), hold(1, 60)],
    },
    fires: [[59], [62], [100]],
  },
]

const idle = (share: string) =>
  ({
    severity: 'info',
    labels: BILLING,
    description: `send.ahasend.com closed ${share} of the connections of billing after 60 idle seconds. No mail is lost. The app's pool keeps idle connections longer than AhaSend does.`,
  }) as const

export const IDLE_DISCONNECTS: readonly Scenario[] = [
  {
    name: 'a pool that keeps connections too long is an info after half an hour and resolves when it no longer does',
    alert: 'AhaSendIdleDisconnects',
    every: 1,
    series: {
      ...LONG_RUNNING,
      [reply('UNSOLICITED', 421, 'idle_timeout')]: [hold(0, 10), grow(0, 1, 80), hold(80, 80)],
      [ENDED_SESSIONS]: [grow(0, 1, 170)],
    },
    fires: [[9], [40], [80, idle('100%')], [160]],
  },
  {
    name: 'a few idle disconnects an hour do not fire',
    alert: 'AhaSendIdleDisconnects',
    every: 1,
    series: {
      ...LONG_RUNNING,
      [reply('UNSOLICITED', 421, 'idle_timeout')]: [...steps(0, 20, 7)],
      [ENDED_SESSIONS]: [...steps(0, 20, 7)],
    },
    fires: [[60], [100], [139]],
  },
]
