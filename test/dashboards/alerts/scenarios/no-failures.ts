/** What ends messages and sessions and is no failure that anyone is alerted for. */

import { grow, hold, type Scenario, UP } from './scenario.ts'
import { mail, reply } from './series.ts'

function draining(command: string): string {
  return reply(command, 421, 'draining', { origin: 'proxy' })
}

/** One restart while 40 sessions are busy, next to 300 messages an hour. 40 failures of 340 would be 11.76 %. */
function restartAmidMail(alert: Scenario['alert'], what: string, counted: string): Scenario {
  return {
    name: `a restart of the proxy amid mail is no failure: ${what}`,
    alert,
    every: 1,
    series: { ...UP, [mail('accepted')]: [grow(0, 5, 180)], [counted]: [hold(0, 120), hold(40, 60)] },
    fires: [[119], [121], [123], [130], [150], [178]],
  }
}

export const RESTARTS = [
  restartAmidMail('AhaSendInternalErrors', 'commands that the proxy refuses', draining('MAIL')),
  restartAmidMail('SmtpProxyErrorBudgetBurning', 'messages that are refused or cut', mail('tempfail', 'drained')),
  restartAmidMail('SmtpProxyErrorBudgetBurning', 'messages that are left in doubt', mail('in_doubt', 'drained')),
  restartAmidMail('SmtpProxyErrorBudgetBurning', 'connections', draining('CONNECT')),
  restartAmidMail('SmtpProxyErrorBudgetBurning', 'sessions that begin', draining('EHLO')),
]

/** AhaSend could not create the link of a marketing message: temporary, and no trouble of all mail. */
function withoutUnsubscribeLink(alert: Scenario['alert']): Scenario {
  return {
    name: 'marketing messages that wait for their unsubscribe link page no one',
    alert,
    every: 1,
    series: {
      ...UP,
      [mail('accepted')]: [grow(0, 10, 130)],
      [mail('tempfail', 'unsubscribe_link')]: [hold(0, 60), grow(0, 10, 70)],
      [reply('END-OF-MESSAGE', 451, 'unsubscribe_link')]: [hold(0, 60), grow(0, 10, 70)],
    },
    fires: [[59], [61], [68], [100], [129]],
  }
}

export const UNSUBSCRIBE_LINK = [
  withoutUnsubscribeLink('AhaSendTemporaryErrors'),
  withoutUnsubscribeLink('AhaSendInternalErrors'),
  withoutUnsubscribeLink('SmtpProxyErrorBudgetBurning'),
]
