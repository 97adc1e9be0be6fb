/** Alerts about connections to AhaSend: whether the proxy can open them, and whether they last. */

import { gone, grow, hold, LONG_RUNNING, type Scenario, steps } from './scenario.ts'
import { dials, ended, messages, reply, SERVER, withLabel } from './series.ts'

const refusedApps = (instance?: string) => reply('CONNECT', 421, 'upstream_unreachable', { origin: 'proxy', instance })
const accepted = messages('accepted')

const noneServed = (count: number, instance = 'proxy:9464') =>
  ({
    severity: 'critical',
    labels: { instance },
    description: `${instance} refused ${count} connections from apps with 421, and served none. This instance cannot reach any upstream over verified TLS. It sends no mail.`,
  }) as const

const dead = (count: number, error: string) =>
  ({
    severity: 'warning',
    labels: { ...SERVER, error_type: error },
    description: `${count} recent attempts to connect to send.ahasend.com failed with ${error}, and none succeeded. If PROXY_UPSTREAM names another upstream, the proxy sends mail through that one.`,
  }) as const

const OTHER_UPSTREAM = dials().replace('send.', 'send-us.')

export const UNREACHABLE: readonly Scenario[] = [
  {
    name: 'a proxy that can serve no app is critical within minutes and resolves when it serves one',
    alert: 'AhaSendUnreachable',
    series: {
      ...LONG_RUNNING,
      [dials()]: [grow(0, 4, 20), hold(80, 20), grow(80, 4, 20)],
      [dials('connect_timeout')]: [hold(0, 20), grow(0, 4, 20), hold(80, 20)],
      [refusedApps()]: [hold(0, 20), grow(0, 4, 20), hold(80, 20)],
    },
    fires: [[19], [21], [26, noneServed(20)], [39.75, noneServed(20), dead(60, 'connect_timeout')], [40.5]],
  },
  {
    name: 'three failed connections an hour are critical within the hour',
    alert: 'AhaSendUnreachable',
    series: {
      ...LONG_RUNNING,
      [dials()]: [hold(9, 320)],
      [dials('resolve_failed')]: [hold(0, 100), ...steps(0, 20, 4), hold(4, 140)],
      [refusedApps()]: [hold(0, 100), ...steps(0, 20, 4), hold(4, 140)],
    },
    fires: [
      [99],
      [101],
      [125],
      [142, noneServed(3)],
      [179, noneServed(4), dead(4, 'resolve_failed')],
      [230, dead(3, 'resolve_failed')],
      [270],
    ],
  },
  {
    name: 'one failed dial does not fire, even as the first of its series after a restart',
    alert: 'AhaSendUnreachable',
    series: {
      process_uptime_seconds: [grow(100_000, 60, 20), grow(5, 60, 70)],
      [dials()]: [hold(9, 20), hold(0, 70)],
      [dials('tls_failed')]: [hold(1, 20), hold(1, 70)],
      [refusedApps()]: [hold(1, 20), hold(1, 70)],
    },
    fires: [[19], [21], [30], [80]],
  },
  {
    name: 'a dead upstream before a working one is a warning with its reason',
    alert: 'AhaSendUnreachable',
    series: {
      ...LONG_RUNNING,
      [dials()]: [grow(0, 1, 20), hold(20, 30), grow(20, 1, 30)],
      [dials('tls_untrusted')]: [hold(0, 20), grow(0, 1, 30), hold(30, 30)],
      [OTHER_UPSTREAM]: [grow(0, 1, 80)],
    },
    fires: [[19], [30], [42, dead(15, 'tls_untrusted')], [51]],
  },
  {
    name: 'a dead upstream before a working one is a warning even at ten messages an hour',
    alert: 'AhaSendUnreachable',
    every: 1,
    series: {
      ...LONG_RUNNING,
      [dials()]: [...steps(0, 6, 50), hold(50, 300), ...steps(50, 6, 10)],
      [dials('connect_timeout')]: [hold(0, 300), ...steps(0, 6, 50), hold(50, 60)],
      [OTHER_UPSTREAM]: [hold(0, 300), ...steps(0, 6, 50), hold(50, 60)],
    },
    fires: [[299], [330], [430, dead(20, 'connect_timeout')], [599, dead(19, 'connect_timeout')], [602]],
  },
  {
    name: 'one of several instances that reaches no upstream is critical, whatever the others do',
    alert: 'AhaSendUnreachable',
    series: {
      'process_uptime_seconds{instance="a"}': [grow(1e5, 60, 120)],
      'process_uptime_seconds{instance="b"}': [grow(1e5, 60, 120)],
      [withLabel(dials(), 'instance="a"')]: [grow(0, 10, 120)],
      [withLabel(accepted, 'instance="a"')]: [grow(0, 10, 120)],
      [withLabel(dials(), 'instance="b"')]: [hold(50, 100), grow(50, 1, 20)],
      [withLabel(dials('connect_timeout'), 'instance="b"')]: [hold(0, 20), grow(0, 10, 80), hold(800, 20)],
      [refusedApps('b')]: [hold(0, 20), grow(0, 10, 80), hold(800, 20)],
    },
    fires: [[19], [25, noneServed(50, 'b')], [95, noneServed(50, 'b')], [101]],
  },
  {
    name: 'three failed connections do not fire while older connections carry mail',
    alert: 'AhaSendUnreachable',
    every: 1,
    series: {
      ...LONG_RUNNING,
      [accepted]: [grow(0, 10, 300)],
      [dials()]: [grow(0, 1, 5), hold(5, 295)],
      [dials('connect_timeout')]: [hold(0, 200), ...steps(0, 20, 2), hold(2, 60)],
      [refusedApps()]: [hold(0, 200), ...steps(0, 10, 3), hold(3, 70)],
    },
    fires: [[199], [225], [240], [260]],
  },
  {
    name: 'an EHLO after a greeting of 521 does not count as a refused connection',
    alert: 'AhaSendUnreachable',
    series: {
      ...LONG_RUNNING,
      [dials()]: [grow(0, 4, 10), hold(40, 12)],
      [reply('CONNECT', 521, 'account_disabled')]: [hold(0, 10), grow(0, 4, 12)],
      [reply('EHLO', 421, 'upstream_unreachable', { origin: 'proxy' })]: [hold(0, 10), grow(0, 4, 12)],
    },
    fires: [[9], [17], [21]],
  },
]

const dropping = (count: number) =>
  ({
    severity: 'critical',
    labels: SERVER,
    description: `${count} sessions with send.ahasend.com were closed or reset without a reply that gives the reason. In the same period, AhaSend accepted no messages. Apps must send the interrupted messages again.`,
  }) as const

export const DROPPING: readonly Scenario[] = [
  {
    name: 'sessions that all close after the greeting are critical within minutes, until a message is accepted',
    alert: 'AhaSendDroppingSessions',
    series: {
      ...LONG_RUNNING,
      [reply('CONNECT', 220, 'none')]: [grow(0, 10, 100)],
      [dials()]: [grow(0, 10, 100)],
      [accepted]: [grow(0, 10, 60), hold(600, 20), grow(600, 10, 20)],
      [ended('upstream_closed')]: [gone(60), grow(1, 10, 20), hold(201, 20)],
    },
    fires: [[59], [64], [72, dropping(50)], [79, dropping(50)], [80.75], [90]],
  },
  {
    name: 'three dropped sessions an hour, here resets, are critical within the hour',
    alert: 'AhaSendDroppingSessions',
    every: 1,
    series: {
      ...LONG_RUNNING,
      [accepted]: [...steps(0, 20, 5), hold(5, 120), ...steps(5, 20, 3)],
      [ended('upstream_reset')]: [gone(100), ...steps(0, 20, 6), hold(6, 60)],
    },
    fires: [[99], [125], [146, dropping(3)], [170, dropping(4)], [219, dropping(4)], [222], [270]],
  },
  {
    name: 'an idle pool that a restart of AhaSend closes at night does not fire',
    alert: 'AhaSendDroppingSessions',
    series: { ...LONG_RUNNING, [accepted]: [hold(9, 200)], [ended('upstream_closed')]: [hold(0, 60), hold(60, 140)] },
    fires: [[59], [61], [64.75], [66], [70], [89], [91], [119], [150]],
  },
  {
    name: 'dropped sessions do not fire while messages are accepted, and neither do idle sessions or failed dials',
    alert: 'AhaSendDroppingSessions',
    series: {
      ...LONG_RUNNING,
      [accepted]: [grow(0, 1, 30), gone(90)],
      [ended('upstream_closed')]: [grow(0, 5, 30), gone(90)],
      [ended('upstream_421')]: [grow(0, 60, 120)],
      [ended('dial_failed')]: [grow(0, 60, 120)],
      // a failed handshake of a client, such as the probe of a load balancer
      [ended('error')]: [grow(0, 60, 120)],
    },
    fires: [[10], [29], [60], [119]],
  },
]
