/** The alert about mail as a whole. */

import { grow, hold, LONG_RUNNING, type Scenario, steps } from './scenario.ts'
import { dials, ended, messages, reply } from './series.ts'
import { idleStorm, sessionOutage } from './shared.ts'

const burning = (severity: 'critical' | 'warning', share: string) =>
  ({
    severity,
    description: `${share} of all attempts by apps failed: messages were refused temporarily or are in doubt, or connections or logins were refused. The objective is that 99.5% succeed over 30 days.`,
  }) as const

export const ERROR_BUDGET: readonly Scenario[] = [
  {
    name: 'messages that fail for a reason without an alert are critical within minutes',
    alert: 'SmtpProxyErrorBudgetBurning',
    every: 1,
    series: {
      ...LONG_RUNNING,
      [messages('accepted')]: [grow(0, 10, 60), hold(600, 10), grow(600, 10, 60)],
      [messages('permfail', '553')]: [grow(0, 5, 130)],
      [messages('tempfail', '450')]: [hold(0, 60), grow(0, 10, 10), hold(100, 60)],
    },
    fires: [[59], [61], [68, burning('critical', '8.902%')], [115]],
  },
  {
    name: 'refused connections count if no upstream is reachable, but not if the client is outside PROXY_ALLOW',
    alert: 'SmtpProxyErrorBudgetBurning',
    every: 1,
    series: {
      ...LONG_RUNNING,
      [messages('accepted')]: [grow(0, 10, 90)],
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
      ...LONG_RUNNING,
      [messages('accepted')]: [grow(0, 3, 90)],
      [reply('CONNECT', 421, 'session_limit', { origin: 'proxy' })]: [hold(0, 60), grow(0, 0.4, 30)],
      // too few in five minutes for SmtpProxyRefusingSessions, which would silence this alert
      [ended('session_limit')]: [hold(0, 60), grow(0, 0.8, 30)],
      [ended('proxy_header')]: [hold(0, 60), grow(0, 10, 30)],
    },
    fires: [[59], [61], [80, burning('critical', '8.163%')]],
  },
  {
    name: 'one failure does not fire at three messages an hour',
    alert: 'SmtpProxyErrorBudgetBurning',
    every: 2,
    series: {
      ...LONG_RUNNING,
      [messages('accepted')]: [...steps(0, 20, 24)],
      [messages('in_doubt', 'upstream_lost')]: [hold(0, 240), hold(1, 240)],
    },
    fires: [[238], [242], [260], [300], [470]],
  },
  sessionOutage('SmtpProxyErrorBudgetBurning', ['AUTH', 454, 'none'], burning('critical', '13.36%')),
  sessionOutage('SmtpProxyErrorBudgetBurning', ['AUTH', 451, 'internal_error'], burning('critical', '13.36%')),
  sessionOutage('SmtpProxyErrorBudgetBurning', ['EHLO', 451, 'internal_error'], burning('critical', '13.36%')),
  {
    name: 'wrong passwords do not count, and neither do connections that idle before their first command',
    alert: 'SmtpProxyErrorBudgetBurning',
    every: 1,
    series: {
      ...LONG_RUNNING,
      [messages('accepted')]: [grow(0, 1, 120)],
      [reply('AUTH', 535, 'invalid_credentials')]: [hold(0, 60), grow(0, 10, 60)],
      [reply('AUTH', 421, 'idle_timeout')]: [hold(0, 60), grow(0, 10, 60)],
      [reply('EHLO', 421, 'idle_timeout')]: [hold(0, 60), grow(0, 10, 60)],
    },
    fires: [[59], [75], [119]],
  },
  {
    name: 'a disabled account does not count, neither while it lasts nor afterwards',
    alert: 'SmtpProxyErrorBudgetBurning',
    every: 1,
    series: {
      ...LONG_RUNNING,
      [messages('accepted')]: [grow(0, 10, 60), hold(600, 20), grow(600, 10, 120)],
      [messages('permfail', '521')]: [hold(0, 60), grow(0, 10, 20), hold(200, 120)],
      [reply('MAIL', 521, 'account_disabled')]: [hold(0, 60), grow(0, 10, 20), hold(200, 120)],
    },
    fires: [[59], [66], [86], [95], [112], [119]],
  },
  {
    name: 'the disabled account of one app does not hide the failures of all other apps',
    alert: 'SmtpProxyErrorBudgetBurning',
    every: 1,
    series: {
      ...LONG_RUNNING,
      [messages('accepted')]: [grow(0, 10, 60), hold(600, 30)],
      [messages('permfail', '521')]: [grow(0, 1, 90)],
      [reply('MAIL', 521, 'account_disabled')]: [grow(0, 1, 90)],
      [reply('AUTH', 454, 'none')]: [hold(0, 60), grow(0, 10, 30)],
    },
    fires: [[59], [75, burning('critical', '25.11%')]],
  },
  {
    name: 'failures while AhaSend was unreachable do not fire once AhaSend is reachable again',
    alert: 'SmtpProxyErrorBudgetBurning',
    every: 1,
    series: {
      ...LONG_RUNNING,
      [messages('accepted')]: [grow(0, 10, 360), hold(3600, 10), grow(3600, 10, 60)],
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
