/** Alerts about 421 and 451 replies that apps retry: load shedding, internal errors, temporary errors. */

import { grow, hold, LONG_RUNNING, type Scenario, steps } from './scenario.ts'
import { ENDED_SESSIONS, messages, reply, SERVER } from './series.ts'
import { idleStorm, sessionOutage } from './shared.ts'

const greeting = (code: number, cause: string) => reply('CONNECT', code, cause)

const shedding = (severity: 'critical' | 'warning', share: string) =>
  ({
    severity,
    labels: SERVER,
    description: `send.ahasend.com refused ${share} of new connections with 421. Apps that retry send their mail late. Apps that do not retry lose it.`,
  }) as const

export const LOAD_SHEDDING: readonly Scenario[] = [
  {
    name: 'a storm fires as critical within minutes and resolves within half an hour after it ends',
    alert: 'AhaSendLoadShedding',
    every: 0.5,
    series: {
      ...LONG_RUNNING,
      [greeting(220, 'none')]: [grow(0, 10, 120), hold(1200, 15), grow(1200, 10, 50)],
      [greeting(421, 'load_shedding')]: [hold(0, 120), grow(0, 10, 15), hold(150, 50)],
    },
    fires: [[119.5], [122], [127, shedding('critical', '11.68%')], [134, shedding('critical', '23.38%')], [175]],
  },
  {
    name: 'a storm keeps firing across a restart of the proxy',
    alert: 'AhaSendLoadShedding',
    every: 0.5,
    series: {
      process_uptime_seconds: [grow(100_000, 60, 130), grow(5, 60, 20)],
      [greeting(220, 'none')]: [grow(0, 10, 120), hold(1200, 10), hold(0, 20)],
      [greeting(421, 'load_shedding')]: [hold(0, 120), grow(0, 10, 10), grow(0, 10, 20)],
    },
    fires: [[119], [129, shedding('critical', '15.02%')], [140, shedding('critical', '32.87%')]],
  },
  {
    name: 'a single refusal does not fire at three connections an hour',
    alert: 'AhaSendLoadShedding',
    every: 2,
    series: {
      ...LONG_RUNNING,
      [greeting(220, 'none')]: [...steps(0, 20, 12), ...steps(12, 20, 12)],
      [greeting(421, 'load_shedding')]: [hold(0, 240), hold(1, 240)],
    },
    fires: [[238], [242], [246], [260], [300], [470]],
  },
  {
    name: 'an outage fires as critical even at three connections an hour',
    alert: 'AhaSendLoadShedding',
    every: 2,
    series: {
      ...LONG_RUNNING,
      [greeting(220, 'none')]: [...steps(0, 20, 18), hold(18, 200)],
      [greeting(421, 'load_shedding')]: [hold(0, 360), ...steps(0, 20, 10)],
    },
    fires: [[358], [362], [420], [438], [444, shedding('critical', '27.67%')], [498, shedding('critical', '41.04%')]],
  },
  {
    name: 'one refused connection in fifty is a warning after an hour and resolves hours after the last refusal',
    alert: 'AhaSendLoadShedding',
    every: 2,
    series: {
      ...LONG_RUNNING,
      [greeting(220, 'none')]: [grow(0, 10, 440)],
      [greeting(421, 'load_shedding')]: [grow(0, 0.2, 100), hold(20, 340)],
    },
    fires: [[60], [98, shedding('warning', '1.961%')], [430]],
  },
  idleStorm('AhaSendLoadShedding'),
]

const internal = (severity: 'critical' | 'warning', share: string) =>
  ({
    severity,
    labels: SERVER,
    description: `send.ahasend.com answered 421 to ${share} of the attempts to send a message. The reason is neither an idle connection nor load shedding. Apps must send the interrupted messages again.`,
  }) as const

export const INTERNAL_ERRORS: readonly Scenario[] = [
  {
    name: 'interrupted sessions are critical within minutes and resolve within half an hour after the last one',
    alert: 'AhaSendInternalErrors',
    every: 1,
    series: {
      ...LONG_RUNNING,
      [messages('accepted')]: [grow(0, 10, 60), hold(600, 10), grow(600, 10, 60)],
      [messages('tempfail', '421')]: [hold(0, 60), grow(0, 10, 10), hold(100, 60)],
      [reply('MAIL', 421, 'internal_error')]: [hold(0, 60), grow(0, 10, 10), hold(100, 60)],
    },
    fires: [[59], [61], [68, internal('critical', '13.36%')], [115]],
  },
  {
    name: 'one session that AhaSend interrupts does not fire at three messages an hour',
    alert: 'AhaSendInternalErrors',
    every: 2,
    series: {
      ...LONG_RUNNING,
      [messages('accepted')]: [...steps(0, 20, 24)],
      [reply('AUTH', 421, 'shutting_down')]: [hold(0, 240), hold(1, 240)],
    },
    fires: [[238], [242], [260], [300], [470]],
  },
  sessionOutage('AhaSendInternalErrors', ['AUTH', 421, 'internal_error'], internal('critical', '13.36%')),
  sessionOutage('AhaSendInternalErrors', ['EHLO', 421, 'shutting_down'], internal('critical', '13.36%')),
  {
    name: 'an idle pool that a restart of AhaSend closes does not fire at three messages an hour',
    alert: 'AhaSendInternalErrors',
    every: 1,
    series: {
      ...LONG_RUNNING,
      [messages('accepted')]: steps(0, 20, 30),
      [reply('UNSOLICITED', 421, 'shutting_down')]: [hold(0, 400), grow(0, 20, 3), hold(60, 197)],
      [ENDED_SESSIONS]: [grow(0, 1, 600)],
    },
    fires: [[399], [403], [410], [420], [430], [480]],
  },
  {
    name: 'a wrong password each minute, after which AhaSend also sends 421, does not fire',
    alert: 'AhaSendInternalErrors',
    every: 1,
    series: {
      ...LONG_RUNNING,
      [messages('accepted')]: [grow(0, 5, 600)],
      [reply('AUTH', 500, 'invalid_credentials')]: [hold(0, 300), grow(0, 1, 300)],
      [reply('UNSOLICITED', 421, 'internal_error')]: [hold(0, 300), grow(0, 1, 300)],
    },
    fires: [[299], [310], [360], [420], [599]],
  },
  idleStorm('AhaSendInternalErrors'),
]

const temporary = (severity: 'critical' | 'warning', share: string) =>
  ({
    severity,
    labels: SERVER,
    description: `send.ahasend.com temporarily refused ${share} of the messages with 451. Apps must send them again.`,
  }) as const

export const TEMPORARY_ERRORS: readonly Scenario[] = [
  {
    name: 'temporarily refused messages are critical within minutes and resolve within half an hour after the last one',
    alert: 'AhaSendTemporaryErrors',
    every: 1,
    series: {
      ...LONG_RUNNING,
      [messages('accepted')]: [grow(0, 10, 60), hold(600, 10), grow(600, 10, 60)],
      [messages('tempfail', '451')]: [hold(0, 60), grow(0, 10, 10), hold(100, 60)],
    },
    fires: [[59], [61], [68, temporary('critical', '13.36%')], [115]],
  },
  {
    name: 'one message in fifty is a warning after an hour',
    alert: 'AhaSendTemporaryErrors',
    every: 2,
    series: {
      ...LONG_RUNNING,
      [messages('accepted')]: [grow(0, 10, 440)],
      [messages('tempfail', '451')]: [grow(0, 0.2, 100), hold(20, 340)],
    },
    fires: [[60], [98, temporary('warning', '1.961%')], [430]],
  },
  {
    name: 'three messages an hour, each refused once and then accepted, do not fire for an hour',
    alert: 'AhaSendTemporaryErrors',
    every: 2,
    series: {
      ...LONG_RUNNING,
      [messages('accepted')]: [...steps(0, 20, 12)],
      [messages('tempfail', '451')]: [hold(0, 180), ...steps(0, 20, 3)],
    },
    fires: [[178], [182], [200], [238]],
  },
]
