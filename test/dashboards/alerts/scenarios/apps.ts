/** What applications do. */

import { gone, grow, hold, type Scenario, steps, UP } from './scenario.ts'
import { BILLING, mail, reply } from './series.ts'

const refused = reply('AUTH', 535, 'invalid_credentials')
const loggedIn = reply('AUTH', 235, 'none')

const credentials = (severity: 'critical' | 'warning', count: number) =>
  ({
    severity,
    labels: BILLING,
    description: `send.ahasend.com refused ${count} logins of billing in the last hour. AhaSend accepts no mail that an app sends with these credentials.`,
  }) as const

export const CREDENTIALS: readonly Scenario[] = [
  {
    name: 'a busy app whose secret no longer works pages within four minutes, and no longer at its first login',
    alert: 'AhaSendCredentialsRejected',
    series: {
      ...UP,
      [loggedIn]: [grow(0, 20, 60), hold(1200, 20), grow(1200, 20, 40)],
      [refused]: [hold(0, 60), grow(0, 20, 20), hold(400, 40)],
      [mail('accepted')]: [grow(0, 20, 60), hold(1200, 20), grow(1200, 20, 40)],
    },
    fires: [
      [59],
      [62.5],
      [63.5, credentials('critical', 70), credentials('warning', 70)],
      [79, credentials('critical', 380), credentials('warning', 380)],
      [81, credentials('warning', 400)],
      [119],
    ],
  },
  {
    name: 'every login fails while older connections still carry mail: a warning within four minutes, a page when they end',
    alert: 'AhaSendCredentialsRejected',
    series: {
      ...UP,
      [loggedIn]: [grow(0, 20, 60), hold(1200, 40)],
      [refused]: [hold(0, 60), grow(0, 20, 40)],
      [mail('accepted')]: [grow(0, 60, 75), hold(4500, 25)],
    },
    fires: [
      [59],
      [62.5],
      [63.5, credentials('warning', 70)],
      [76.5, credentials('warning', 330)],
      [78.5, credentials('critical', 370), credentials('warning', 370)],
    ],
  },
  {
    name: 'a rotated secret that takes two minutes to work is nothing, however busy the app is',
    alert: 'AhaSendCredentialsRejected',
    series: {
      ...UP,
      [loggedIn]: [grow(0, 60, 60), hold(3600, 2), grow(3600, 60, 60)],
      [refused]: [hold(0, 60), grow(0, 60, 2), hold(120, 60)],
      [mail('accepted')]: [grow(0, 60, 60), hold(3600, 2), grow(3600, 60, 60)],
    },
    fires: [[60], [61], [62], [62.25], [62.5], [62.75], [63], [65], [75], [100]],
  },
  {
    name: 'a new app with many logins, whose credentials take two minutes to work, is nothing',
    alert: 'AhaSendCredentialsRejected',
    series: {
      ...UP,
      [refused]: [hold(0, 60), grow(0, 60, 2), hold(120, 60)],
      [loggedIn]: [hold(0, 62), grow(0, 60, 60)],
    },
    fires: [[60], [61], [62], [62.25], [62.5], [63], [63.25], [63.5], [65], [75], [100]],
  },
  {
    name: 'a new app with many logins, none of which succeeds, is a warning within five minutes',
    alert: 'AhaSendCredentialsRejected',
    series: { ...UP, [refused]: [hold(0, 60), grow(0, 20, 30)] },
    fires: [[59], [62], [65, credentials('warning', 100)]],
  },
  {
    name: 'an app whose secret no longer works pages within seven minutes, and no longer at its first login',
    alert: 'AhaSendCredentialsRejected',
    series: {
      ...UP,
      [loggedIn]: [grow(0, 1, 60), hold(60, 30), grow(60, 1, 60)],
      [refused]: [hold(0, 60), grow(0, 1, 30), hold(30, 60)],
    },
    fires: [
      [59],
      [64],
      [67, credentials('critical', 7), credentials('warning', 7)],
      [77, credentials('critical', 17), credentials('warning', 17)],
      [89, credentials('critical', 29), credentials('warning', 29)],
      [91.5, credentials('warning', 30)],
      [119, credentials('warning', 30)],
      [121],
    ],
  },
  {
    name: 'an app that sends three mails an hour pages too, within the hour',
    alert: 'AhaSendCredentialsRejected',
    every: 1,
    series: {
      ...UP,
      [loggedIn]: [...steps(0, 20, 6), hold(6, 140)],
      [refused]: [hold(0, 120), ...steps(0, 20, 7)],
    },
    fires: [[119], [121], [145], [170, credentials('critical', 3), credentials('warning', 3)]],
  },
  {
    name: 'an app that never could log in is a warning',
    alert: 'AhaSendCredentialsRejected',
    series: { ...UP, [refused]: [hold(0, 60), grow(0, 1, 30)] },
    fires: [[59], [61], [75, credentials('warning', 15)]],
  },
  {
    name: 'new credentials that take two minutes to work are nothing',
    alert: 'AhaSendCredentialsRejected',
    series: { ...UP, [refused]: [hold(0, 60), grow(0, 4, 2), hold(8, 60)], [loggedIn]: [hold(0, 62), grow(0, 4, 60)] },
    fires: [[59], [61], [65], [70], [75], [100]],
  },
  {
    name: 'one of several instances with a wrong secret is a warning',
    alert: 'AhaSendCredentialsRejected',
    series: { ...UP, [refused]: [hold(0, 60), grow(0, 0.5, 60)], [loggedIn]: [grow(0, 5, 120)] },
    fires: [[59], [65], [80, credentials('warning', 10)]],
  },
  {
    name: 'one refused login beside others that work is nothing',
    alert: 'AhaSendCredentialsRejected',
    every: 1,
    series: { ...UP, [refused]: [hold(0, 60), hold(1, 60)], [loggedIn]: [...steps(0, 20, 6)] },
    fires: [[59], [61], [66], [75], [90], [119]],
  },
  {
    name: 'one of several apps under one name with a wrong secret, three mails an hour, is a warning without gaps',
    alert: 'AhaSendCredentialsRejected',
    every: 1,
    series: {
      ...UP,
      [loggedIn]: [grow(0, 1, 700)],
      [refused]: [hold(0, 300), ...steps(0, 20, 15), hold(15, 100)],
    },
    fires: [
      [299],
      [310],
      [350, credentials('warning', 3)],
      [399, credentials('warning', 2)],
      [410, credentials('warning', 3)],
      [590, credentials('warning', 3)],
      [625],
    ],
  },
  {
    name: 'a password that somebody mistypes twice is nothing beside connections that carry mail',
    alert: 'AhaSendCredentialsRejected',
    every: 1,
    series: {
      ...UP,
      [loggedIn]: [grow(0, 1, 30), hold(30, 300)],
      [refused]: [hold(0, 200), hold(2, 130)],
      [mail('accepted')]: [grow(0, 5, 330)],
    },
    fires: [[199], [202], [207], [230], [255]],
  },
  {
    name: 'after a restart one login of a pool is the first of its series, and the app is not the one that is refused',
    alert: 'AhaSendCredentialsRejected',
    series: {
      process_uptime_seconds: [grow(100_000, 60, 60), grow(5, 60, 60)],
      [loggedIn]: [grow(0, 1, 60), gone(0.25), hold(4, 59.75)],
      [refused]: [hold(0, 60), grow(0, 1, 60)],
      [mail('accepted')]: [grow(0, 5, 60), grow(0, 5, 60)],
    },
    fires: [[59], [65], [80, credentials('warning', 20)]],
  },
]

const domain = (count: number) =>
  ({
    severity: 'warning',
    labels: BILLING,
    description: `send.ahasend.com answered 556 to billing ${count} times in the last 30 minutes: the account or the sending domain is not configured. AhaSend refuses all mail from that domain.`,
  }) as const

export const DOMAIN_NOT_CONFIGURED: readonly Scenario[] = [
  {
    name: 'the first refusal is told, for half an hour',
    alert: 'AhaSendDomainNotConfigured',
    series: { ...UP, [reply('MAIL', 556, 'domain_not_configured')]: [hold(0, 20), hold(1, 60)] },
    fires: [[19.75], [20.25, domain(1)], [49, domain(1)], [51]],
  },
  {
    name: 'three refused mails an hour are one alert without gaps',
    alert: 'AhaSendDomainNotConfigured',
    series: { ...UP, [reply('MAIL', 556, 'domain_not_configured')]: [hold(0, 20), ...steps(0, 20, 4)] },
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
    name: 'some mails of an app are told, and no longer when the last hour was good',
    alert: 'AhaSendMessageFormatRejected',
    every: 1,
    series: {
      ...UP,
      [mail('accepted')]: [grow(0, 2, 150)],
      [mail('permfail', '552')]: [hold(0, 60), ...steps(0, 2, 5), hold(5, 80)],
      [wrongFormat]: [hold(0, 60), ...steps(0, 2, 5), hold(5, 80)],
    },
    fires: [[59], [62], [69, format(5)], [135]],
  },
  {
    name: 'a few of many are nothing',
    alert: 'AhaSendMessageFormatRejected',
    every: 1,
    series: {
      ...UP,
      [mail('accepted')]: [grow(0, 20, 90)],
      [mail('permfail', '552')]: [hold(0, 60), hold(5, 30)],
      [wrongFormat]: [hold(0, 60), hold(5, 30)],
    },
    fires: [[59], [62], [80]],
  },
  {
    name: 'three mails an hour, all refused, are told at the third',
    alert: 'AhaSendMessageFormatRejected',
    every: 1,
    series: {
      ...UP,
      [mail('accepted')]: [...steps(0, 20, 3), hold(3, 80)],
      [mail('permfail', '552')]: [hold(0, 60), ...steps(0, 20, 4)],
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
    name: 'many of an app are told, and no longer when the last hour was good',
    alert: 'AhaSendRecipientsRejected',
    every: 1,
    series: {
      ...UP,
      [recipients('accepted')]: [grow(0, 2, 180)],
      [recipients('permfail')]: [hold(0, 60), grow(0, 1, 20), hold(20, 100)],
      [reply('RCPT', 553, 'recipient_rejected')]: [hold(0, 60), grow(0, 1, 20), hold(20, 100)],
    },
    fires: [[59], [65], [79, rejected(19)], [145]],
  },
  {
    name: 'a typo now and then is nothing',
    alert: 'AhaSendRecipientsRejected',
    every: 1,
    series: {
      ...UP,
      [recipients('accepted')]: [...steps(0, 20, 6)],
      [recipients('permfail')]: [hold(0, 60), hold(1, 60)],
      [reply('RCPT', 553, 'recipient_rejected')]: [hold(0, 60), hold(1, 60)],
    },
    fires: [[59], [62], [100]],
  },
]
