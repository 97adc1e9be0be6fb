/** Scenarios that must fire, or must not fire, several alerts. */

import { type Firing, grow, hold, LONG_RUNNING, type Scenario } from './scenario.ts'
import { dials, ENDED_SESSIONS, messages, reply } from './series.ts'

/** An outage in which no message begins, so no message fails. */
export function sessionOutage(
  alert: Scenario['alert'],
  answer: readonly [string, number, string],
  firing: Firing,
): Scenario {
  const [command, code] = answer
  return {
    name: `${code} to each ${command} is critical within minutes and resolves within half an hour after the last one`,
    alert,
    every: 1,
    series: {
      ...LONG_RUNNING,
      [reply('CONNECT', 220, 'none')]: [grow(0, 10, 130)],
      [dials()]: [grow(0, 10, 130)],
      [messages('accepted')]: [grow(0, 10, 60), hold(600, 10), grow(600, 10, 60)],
      [reply(...answer)]: [hold(0, 60), grow(0, 10, 10), hold(100, 60)],
    },
    fires: [[59], [61], [68, firing], [115]],
  }
}

/** Many idle disconnects: only the info alert for the app reports them. */
export function idleStorm(alert: Scenario['alert']): Scenario {
  return {
    name: 'a storm of idle disconnects does not fire',
    alert,
    every: 1,
    series: {
      ...LONG_RUNNING,
      [messages('accepted')]: [grow(0, 1, 90)],
      [reply('UNSOLICITED', 421, 'idle_timeout')]: [hold(0, 20), grow(0, 60, 70)],
      [ENDED_SESSIONS]: [grow(0, 1, 20), grow(20, 60, 70)],
      [reply('CONNECT', 220, 'none')]: [grow(0, 1, 20), grow(20, 60, 70)],
    },
    fires: [[19], [21], [25], [40], [60], [89]],
  }
}
