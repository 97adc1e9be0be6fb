/** Temporary answers of AhaSend, idle disconnects, and what becomes of mail as a whole. */

import { type Firing, grow, hold, type Scenario, steps, UP } from './scenario.ts'
import { BILLING, dials, ENDED_SESSIONS, ended, mail, reply, SERVER } from './series.ts'

const internal = (severity: 'critical' | 'warning', share: string) =>
  ({
    severity,
    labels: SERVER,
    description: `send.ahasend.com answered 421 to ${share} of the attempts to send a message. The reason is neither an idle connection nor load shedding. Apps must send the interrupted messages again.`,
  }) as const

export const INTERNAL_ERRORS: readonly Scenario[] = [
  {
    name: 'sessions that break off page within minutes and are over half an hour after it',
    alert: 'AhaSendInternalErrors',
    every: 1,
    series: {
      ...UP,
      [mail('accepted')]: [grow(0, 10, 60), hold(600, 10), grow(600, 10, 60)],
      [mail('tempfail', '421')]: [hold(0, 60), grow(0, 10, 10), hold(100, 60)],
      [reply('MAIL', 421, 'internal_error')]: [hold(0, 60), grow(0, 10, 10), hold(100, 60)],
    },
    fires: [[59], [61], [68, internal('critical', '13.36%')], [115]],
  },
  {
    name: 'a session that AhaSend broke off is nothing at three mails an hour',
    alert: 'AhaSendInternalErrors',
    every: 2,
    series: {
      ...UP,
      [mail('accepted')]: [...steps(0, 20, 24)],
      [reply('AUTH', 421, 'shutting_down')]: [hold(0, 240), hold(1, 240)],
    },
    fires: [[238], [242], [260], [300], [470]],
  },
  sessionOutage('AhaSendInternalErrors', ['AUTH', 421, 'internal_error'], internal('critical', '13.36%')),
  sessionOutage('AhaSendInternalErrors', ['EHLO', 421, 'shutting_down'], internal('critical', '13.36%')),
  {
    name: 'an idle pool that a restart of AhaSend closes is nothing at three mails an hour',
    alert: 'AhaSendInternalErrors',
    every: 1,
    series: {
      ...UP,
      [mail('accepted')]: steps(0, 20, 30),
      [reply('UNSOLICITED', 421, 'shutting_down')]: [hold(0, 400), grow(0, 20, 3), hold(60, 197)],
      [ENDED_SESSIONS]: [grow(0, 1, 600)],
    },
    fires: [[399], [403], [410], [420], [430], [480]],
  },
  {
    name: 'a wrong password each minute, after which AhaSend says 421 as well, is nothing',
    alert: 'AhaSendInternalErrors',
    every: 1,
    series: {
      ...UP,
      [mail('accepted')]: [grow(0, 5, 600)],
      [reply('AUTH', 500, 'invalid_credentials')]: [hold(0, 300), grow(0, 1, 300)],
      [reply('UNSOLICITED', 421, 'internal_error')]: [hold(0, 300), grow(0, 1, 300)],
    },
    fires: [[299], [310], [360], [420], [599]],
  },
  idleStorm('AhaSendInternalErrors'),
]

/** No mail begins, so no mail fails. */
function sessionOutage(alert: Scenario['alert'], answer: readonly [string, number, string], firing: Firing): Scenario {
  const [command, code] = answer
  return {
    name: `${code} to each ${command} pages within minutes and is over half an hour after it`,
    alert,
    every: 1,
    series: {
      ...UP,
      [reply('CONNECT', 220, 'none')]: [grow(0, 10, 130)],
      [dials()]: [grow(0, 10, 130)],
      [mail('accepted')]: [grow(0, 10, 60), hold(600, 10), grow(600, 10, 60)],
      [reply(...answer)]: [hold(0, 60), grow(0, 10, 10), hold(100, 60)],
    },
    fires: [[59], [61], [68, firing], [115]],
  }
}

const temporary = (severity: 'critical' | 'warning', share: string) =>
  ({
    severity,
    labels: SERVER,
    description: `send.ahasend.com temporarily refused ${share} of the messages with 451. Apps must send them again.`,
  }) as const

export const TEMPORARY_ERRORS: readonly Scenario[] = [
  {
    name: 'mails that are refused for now page within minutes and are over half an hour after it',
    alert: 'AhaSendTemporaryErrors',
    every: 1,
    series: {
      ...UP,
      [mail('accepted')]: [grow(0, 10, 60), hold(600, 10), grow(600, 10, 60)],
      [mail('tempfail', '451')]: [hold(0, 60), grow(0, 10, 10), hold(100, 60)],
    },
    fires: [[59], [61], [68, temporary('critical', '13.36%')], [115]],
  },
  {
    name: 'one in fifty is a ticket after an hour',
    alert: 'AhaSendTemporaryErrors',
    every: 2,
    series: {
      ...UP,
      [mail('accepted')]: [grow(0, 10, 440)],
      [mail('tempfail', '451')]: [grow(0, 0.2, 100), hold(20, 340)],
    },
    fires: [[60], [98, temporary('warning', '1.961%')], [430]],
  },
  {
    name: 'three mails an hour, each refused once and then accepted, are nothing for an hour',
    alert: 'AhaSendTemporaryErrors',
    every: 2,
    series: {
      ...UP,
      [mail('accepted')]: [...steps(0, 20, 12)],
      [mail('tempfail', '451')]: [hold(0, 180), ...steps(0, 20, 3)],
    },
    fires: [[178], [182], [200], [238]],
  },
]

/** Nothing but the hint to applications says anything about it. */
function idleStorm(alert: Scenario['alert']): Scenario {
  return {
    name: 'a storm of idle disconnects is not meant',
    alert,
    every: 1,
    series: {
      ...UP,
      [mail('accepted')]: [grow(0, 1, 90)],
      [reply('UNSOLICITED', 421, 'idle_timeout')]: [hold(0, 20), grow(0, 60, 70)],
      [ENDED_SESSIONS]: [grow(0, 1, 20), grow(20, 60, 70)],
      [reply('CONNECT', 220, 'none')]: [grow(0, 1, 20), grow(20, 60, 70)],
    },
    fires: [[19], [21], [25], [40], [60], [89]],
  }
}

export const LOAD_SHEDDING_OR_IDLE = [idleStorm('AhaSendLoadShedding')]

const idle = (share: string) =>
  ({
    severity: 'info',
    labels: BILLING,
    description: `send.ahasend.com closed ${share} of the connections of billing after 60 idle seconds. No mail is lost. The app's pool keeps idle connections longer than AhaSend does.`,
  }) as const

export const IDLE_DISCONNECTS: readonly Scenario[] = [
  {
    name: 'a pool that keeps connections too long is a hint after half an hour, and none when it no longer does',
    alert: 'AhaSendIdleDisconnects',
    every: 1,
    series: {
      ...UP,
      [reply('UNSOLICITED', 421, 'idle_timeout')]: [hold(0, 10), grow(0, 1, 80), hold(80, 80)],
      [ENDED_SESSIONS]: [grow(0, 1, 170)],
    },
    fires: [[9], [40], [80, idle('100%')], [160]],
  },
  {
    name: 'a few an hour are normal',
    alert: 'AhaSendIdleDisconnects',
    every: 1,
    series: {
      ...UP,
      [reply('UNSOLICITED', 421, 'idle_timeout')]: [...steps(0, 20, 7)],
      [ENDED_SESSIONS]: [...steps(0, 20, 7)],
    },
    fires: [[60], [100], [139]],
  },
]

const burning = (severity: 'critical' | 'warning', share: string) =>
  ({
    severity,
    description: `${share} of all attempts by apps failed: messages were refused temporarily or are in doubt, or connections or logins were refused. The objective is that 99.5% succeed over 30 days.`,
  }) as const

export const ERROR_BUDGET: readonly Scenario[] = [
  {
    name: 'mail that fails for a reason without an alert pages within minutes',
    alert: 'SmtpProxyErrorBudgetBurning',
    every: 1,
    series: {
      ...UP,
      [mail('accepted')]: [grow(0, 10, 60), hold(600, 10), grow(600, 10, 60)],
      [mail('permfail', '553')]: [grow(0, 5, 130)],
      [mail('tempfail', '450')]: [hold(0, 60), grow(0, 10, 10), hold(100, 60)],
    },
    fires: [[59], [61], [68, burning('critical', '8.902%')], [115]],
  },
  {
    name: 'connections that nobody answers count, strangers that the proxy turns away do not',
    alert: 'SmtpProxyErrorBudgetBurning',
    every: 1,
    series: {
      ...UP,
      [mail('accepted')]: [grow(0, 10, 90)],
      [reply('CONNECT', 421, 'not_allowed', { origin: 'proxy' })]: [grow(0, 50, 90)],
      [reply('CONNECT', 421, 'upstream_unreachable', { origin: 'proxy' })]: [hold(0, 60), grow(0, 10, 30)],
    },
    fires: [[59], [61], [75, burning('critical', '20%')]],
  },
  {
    name: 'sessions above the session limit count once, with a 421 or without one',
    alert: 'SmtpProxyErrorBudgetBurning',
    every: 1,
    series: {
      ...UP,
      [mail('accepted')]: [grow(0, 3, 90)],
      [reply('CONNECT', 421, 'session_limit', { origin: 'proxy' })]: [hold(0, 60), grow(0, 0.4, 30)],
      // too few in five minutes for an alert of their own, which would silence this one
      [ended('session_limit')]: [hold(0, 60), grow(0, 0.8, 30)],
      [ended('proxy_header')]: [hold(0, 60), grow(0, 10, 30)],
    },
    fires: [[59], [61], [80, burning('critical', '8.163%')]],
  },
  {
    name: 'one failure is nothing at three mails an hour',
    alert: 'SmtpProxyErrorBudgetBurning',
    every: 2,
    series: {
      ...UP,
      [mail('accepted')]: [...steps(0, 20, 24)],
      [mail('in_doubt', 'upstream_lost')]: [hold(0, 240), hold(1, 240)],
    },
    fires: [[238], [242], [260], [300], [470]],
  },
  sessionOutage('SmtpProxyErrorBudgetBurning', ['AUTH', 454, 'none'], burning('critical', '13.36%')),
  sessionOutage('SmtpProxyErrorBudgetBurning', ['AUTH', 451, 'internal_error'], burning('critical', '13.36%')),
  sessionOutage('SmtpProxyErrorBudgetBurning', ['EHLO', 451, 'internal_error'], burning('critical', '13.36%')),
  {
    name: 'wrong passwords are none of it, nor connections that idle before they say anything',
    alert: 'SmtpProxyErrorBudgetBurning',
    every: 1,
    series: {
      ...UP,
      [mail('accepted')]: [grow(0, 1, 120)],
      [reply('AUTH', 535, 'invalid_credentials')]: [hold(0, 60), grow(0, 10, 60)],
      [reply('AUTH', 421, 'idle_timeout')]: [hold(0, 60), grow(0, 10, 60)],
      [reply('EHLO', 421, 'idle_timeout')]: [hold(0, 60), grow(0, 10, 60)],
    },
    fires: [[59], [75], [119]],
  },
  {
    name: 'a disabled account is none of it, while it lasts and when it is over',
    alert: 'SmtpProxyErrorBudgetBurning',
    every: 1,
    series: {
      ...UP,
      [mail('accepted')]: [grow(0, 10, 60), hold(600, 20), grow(600, 10, 120)],
      [mail('permfail', '521')]: [hold(0, 60), grow(0, 10, 20), hold(200, 120)],
      [reply('MAIL', 521, 'account_disabled')]: [hold(0, 60), grow(0, 10, 20), hold(200, 120)],
    },
    fires: [[59], [66], [86], [95], [112], [119]],
  },
  {
    name: 'the disabled account of one app does not hide the trouble of all others',
    alert: 'SmtpProxyErrorBudgetBurning',
    every: 1,
    series: {
      ...UP,
      [mail('accepted')]: [grow(0, 10, 60), hold(600, 30)],
      [mail('permfail', '521')]: [grow(0, 1, 90)],
      [reply('MAIL', 521, 'account_disabled')]: [grow(0, 1, 90)],
      [reply('AUTH', 454, 'none')]: [hold(0, 60), grow(0, 10, 30)],
    },
    fires: [[59], [75, burning('critical', '25.11%')]],
  },
  {
    name: 'what could not be sent while AhaSend was unreachable pages nobody when that is over',
    alert: 'SmtpProxyErrorBudgetBurning',
    every: 1,
    series: {
      ...UP,
      [mail('accepted')]: [grow(0, 10, 360), hold(3600, 10), grow(3600, 10, 60)],
      [dials()]: [grow(0, 10, 360), hold(3600, 10), grow(3600, 10, 60)],
      [dials('connect_timeout')]: [hold(0, 360), grow(0, 10, 10), hold(100, 60)],
      [reply('CONNECT', 421, 'upstream_unreachable', { origin: 'proxy' })]: [
        hold(0, 360),
        grow(0, 10, 10),
        hold(100, 60),
      ],
    },
    fires: [[359], [364], [371], [380], [395], [404]],
  },
  idleStorm('SmtpProxyErrorBudgetBurning'),
]
