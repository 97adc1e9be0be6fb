/** Events that end messages and sessions but must not fire any alert. */

import { grow, hold, LONG_RUNNING, type Scenario } from './scenario.ts'
import { messages, reply } from './series.ts'

function draining(command: string): string {
  return reply(command, 421, 'draining', { origin: 'proxy' })
}

/** One restart that interrupts 40 busy sessions, at 300 messages an hour. 40 failures of 340 would be 11.76%. */
function restartAmidMail(alert: Scenario['alert'], what: string, counted: string): Scenario {
  return {
    name: `a restart of a busy proxy does not fire: ${what}`,
    alert,
    every: 1,
    series: { ...LONG_RUNNING, [messages('accepted')]: [grow(0, 5, 180)], [counted]: [hold(0, 120), hold(40, 60)] },
    fires: [[119], [121], [123], [130], [150], [178]],
  }
}

export const RESTARTS = [
  restartAmidMail('AhaSendInternalErrors', 'commands that the proxy refuses', draining('MAIL')),
  restartAmidMail(
    'SmtpProxyErrorBudgetBurning',
    'messages that are refused or interrupted',
    messages('tempfail', 'drained'),
  ),
  restartAmidMail('SmtpProxyErrorBudgetBurning', 'messages that end in doubt', messages('in_doubt', 'drained')),
  restartAmidMail('SmtpProxyErrorBudgetBurning', 'connections', draining('CONNECT')),
  restartAmidMail('SmtpProxyErrorBudgetBurning', 'sessions that start', draining('EHLO')),
]

/** AhaSend could not create the link of a marketing message. This is temporary and does not affect other mail. */
function withoutUnsubscribeLink(alert: Scenario['alert']): Scenario {
  return {
    name: 'marketing messages that wait for their unsubscribe link do not fire',
    alert,
    every: 1,
    series: {
      ...LONG_RUNNING,
      [messages('accepted')]: [grow(0, 10, 130)],
      [messages('tempfail', 'unsubscribe_link')]: [hold(0, 60), grow(0, 10, 70)],
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
