/** The alert about credentials that AhaSend refuses. */

import { gone, grow, hold, LONG_RUNNING, type Scenario, steps } from './scenario.ts'
import { BILLING, messages, reply } from './series.ts'

const refused = reply('AUTH', 535, 'invalid_credentials')
const loggedIn = reply('AUTH', 235, 'none')

const credentials = (severity: 'critical' | 'warning', count: number) =>
  ({
    severity,
    labels: BILLING,
    description: `send.ahasend.com refused ${count} logins of billing in the last hour. AhaSend accepts no mail that the app sends with these credentials.`,
  }) as const

export const CREDENTIALS: readonly Scenario[] = [
  {
    name: 'a busy app whose password stops working is critical within four minutes, until its next successful login',
    alert: 'AhaSendCredentialsRejected',
    series: {
      ...LONG_RUNNING,
      [loggedIn]: [grow(0, 20, 60), hold(1200, 20), grow(1200, 20, 40)],
      [refused]: [hold(0, 60), grow(0, 20, 20), hold(400, 40)],
      [messages('accepted')]: [grow(0, 20, 60), hold(1200, 20), grow(1200, 20, 40)],
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
    name: 'every login fails while older connections carry mail: a warning within four minutes, critical when these connections stop',
    alert: 'AhaSendCredentialsRejected',
    series: {
      ...LONG_RUNNING,
      [loggedIn]: [grow(0, 20, 60), hold(1200, 40)],
      [refused]: [hold(0, 60), grow(0, 20, 40)],
      [messages('accepted')]: [grow(0, 60, 75), hold(4500, 25)],
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
    name: 'a new password that takes two minutes to work does not fire, however busy the app is',
    alert: 'AhaSendCredentialsRejected',
    series: {
      ...LONG_RUNNING,
      [loggedIn]: [grow(0, 60, 60), hold(3600, 2), grow(3600, 60, 60)],
      [refused]: [hold(0, 60), grow(0, 60, 2), hold(120, 60)],
      [messages('accepted')]: [grow(0, 60, 60), hold(3600, 2), grow(3600, 60, 60)],
    },
    fires: [[60], [61], [62], [62.25], [62.5], [62.75], [63], [65], [75], [100]],
  },
  {
    name: 'a new app with many logins does not fire if its credentials take two minutes to work',
    alert: 'AhaSendCredentialsRejected',
    series: {
      ...LONG_RUNNING,
      [refused]: [hold(0, 60), grow(0, 60, 2), hold(120, 60)],
      [loggedIn]: [hold(0, 62), grow(0, 60, 60)],
    },
    fires: [[60], [61], [62], [62.25], [62.5], [63], [63.25], [63.5], [65], [75], [100]],
  },
  {
    name: 'a new app with many logins, none of which succeeds, is a warning within five minutes',
    alert: 'AhaSendCredentialsRejected',
    series: { ...LONG_RUNNING, [refused]: [hold(0, 60), grow(0, 20, 30)] },
    fires: [[59], [62], [65, credentials('warning', 100)]],
  },
  {
    name: 'an app whose password stops working is critical within seven minutes, until its next successful login',
    alert: 'AhaSendCredentialsRejected',
    series: {
      ...LONG_RUNNING,
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
    name: 'an app that sends three messages an hour is critical within the hour',
    alert: 'AhaSendCredentialsRejected',
    every: 1,
    series: {
      ...LONG_RUNNING,
      [loggedIn]: [...steps(0, 20, 6), hold(6, 140)],
      [refused]: [hold(0, 120), ...steps(0, 20, 7)],
    },
    fires: [[119], [121], [145], [170, credentials('critical', 3), credentials('warning', 3)]],
  },
  {
    name: 'an app that never could log in is a warning',
    alert: 'AhaSendCredentialsRejected',
    series: { ...LONG_RUNNING, [refused]: [hold(0, 60), grow(0, 1, 30)] },
    fires: [[59], [61], [75, credentials('warning', 15)]],
  },
  {
    name: 'new credentials that take two minutes to work do not fire',
    alert: 'AhaSendCredentialsRejected',
    series: {
      ...LONG_RUNNING,
      [refused]: [hold(0, 60), grow(0, 4, 2), hold(8, 60)],
      [loggedIn]: [hold(0, 62), grow(0, 4, 60)],
    },
    fires: [[59], [61], [65], [70], [75], [100]],
  },
  {
    name: 'one of several instances of an app with a wrong password is a warning',
    alert: 'AhaSendCredentialsRejected',
    series: { ...LONG_RUNNING, [refused]: [hold(0, 60), grow(0, 0.5, 60)], [loggedIn]: [grow(0, 5, 120)] },
    fires: [[59], [65], [80, credentials('warning', 10)]],
  },
  {
    name: 'one refused login among successful ones does not fire',
    alert: 'AhaSendCredentialsRejected',
    every: 1,
    series: { ...LONG_RUNNING, [refused]: [hold(0, 60), hold(1, 60)], [loggedIn]: [...steps(0, 20, 6)] },
    fires: [[59], [61], [66], [75], [90], [119]],
  },
  {
    name: 'one of several apps under one name with a wrong password and three messages an hour is a warning without gaps',
    alert: 'AhaSendCredentialsRejected',
    every: 1,
    series: {
      ...LONG_RUNNING,
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
    name: 'a password that is mistyped twice does not fire while other connections carry mail',
    alert: 'AhaSendCredentialsRejected',
    every: 1,
    series: {
      ...LONG_RUNNING,
      [loggedIn]: [grow(0, 1, 30), hold(30, 300)],
      [refused]: [hold(0, 200), hold(2, 130)],
      [messages('accepted')]: [grow(0, 5, 330)],
    },
    fires: [[199], [202], [207], [230], [255]],
  },
  {
    name: 'after a restart, the one login of a connection pool starts a new series, and another app under the same name is refused',
    alert: 'AhaSendCredentialsRejected',
    series: {
      process_uptime_seconds: [grow(100_000, 60, 60), grow(5, 60, 60)],
      [loggedIn]: [grow(0, 1, 60), gone(0.25), hold(4, 59.75)],
      [refused]: [hold(0, 60), grow(0, 1, 60)],
      [messages('accepted')]: [grow(0, 5, 60), grow(0, 5, 60)],
    },
    fires: [[59], [65], [80, credentials('warning', 20)]],
  },
]
