/** The account, and load shedding. */

import { gone, grow, hold, type Scenario, steps, UP } from './scenario.ts'
import { BILLING, labelled, mail, reply, SERVER } from './series.ts'

const disabled = (command: string, instance?: string) => reply(command, 521, 'account_disabled', { instance })
const accepted = mail('accepted')

const accountDisabled = (count: number) =>
  ({
    severity: 'critical',
    labels: BILLING,
    description: `send.ahasend.com answered 521 to billing ${count} times in the last hour. AhaSend accepts no mail from this account until the account is restored, and apps do not retry after a 521. The account is suspended, out of credits or paused. AhaSend pauses an account for too many recent bounces, forbidden content, a high spam score, a violation of the terms of service or a manual review; a parent account can also pause it. Only AhaSend's support or the parent account can lift a pause.`,
  }) as const

export const ACCOUNT_DISABLED: readonly Scenario[] = [
  {
    name: 'one 521 is enough, it is told for half an hour where mail is accepted again',
    alert: 'AhaSendAccountDisabled',
    series: {
      ...UP,
      [disabled('MAIL')]: [hold(0, 10), hold(1, 50)],
      [accepted]: [grow(0, 10, 10), hold(100, 10), grow(100, 10, 40)],
    },
    fires: [[10 - 0.25], [10.25, accountDisabled(1)], [19, accountDisabled(1)], [39, accountDisabled(1)], [41]],
  },
  {
    name: 'the first 521 of all is enough, at a command of which none was expected',
    alert: 'AhaSendAccountDisabled',
    series: { ...UP, [disabled('EHLO')]: [gone(80), hold(1, 40)], [accepted]: [grow(0, 10, 120)] },
    fires: [[79.75], [80, accountDisabled(1)], [84, accountDisabled(1)], [109, accountDisabled(1)], [111]],
  },
  {
    name: 'the first 521 after a restart is enough, also if one was counted before it, long ago',
    alert: 'AhaSendAccountDisabled',
    series: {
      process_uptime_seconds: [grow(100_000, 60, 90), gone(1), grow(5, 60, 30)],
      [disabled('MAIL')]: [hold(1, 90), gone(1), hold(1, 30)],
      [accepted]: [grow(0, 10, 90), gone(1), hold(3, 30)],
    },
    fires: [[89.75], [91.25, accountDisabled(1)], [110, accountDisabled(1)]],
  },
  {
    name: 'the first 521 of a process under another address is enough',
    alert: 'AhaSendAccountDisabled',
    series: {
      'process_uptime_seconds{instance="10.0.0.7:9464"}': [grow(100_000, 60, 90)],
      'process_uptime_seconds{instance="10.0.0.8:9464"}': [gone(90), grow(5, 60, 30)],
      [disabled('MAIL', '10.0.0.7:9464')]: [hold(0, 90)],
      [disabled('MAIL', '10.0.0.8:9464')]: [gone(90), hold(1, 30)],
    },
    fires: [[89.75], [90.5, accountDisabled(1)]],
  },
  {
    name: 'a restart without 521 is none',
    alert: 'AhaSendAccountDisabled',
    series: {
      process_uptime_seconds: [grow(100_000, 60, 90), gone(1), grow(5, 60, 30)],
      [disabled('MAIL')]: [hold(1, 90), gone(1), hold(0, 30)],
    },
    fires: [[89.75], [91], [91.25], [95], [110]],
  },
  {
    name: 'an old 521 is none when Prometheus was away for hours',
    alert: 'AhaSendAccountDisabled',
    series: {
      process_uptime_seconds: [grow(100_000, 60, 20), gone(180), grow(112_000, 60, 90)],
      [disabled('MAIL')]: [hold(3, 20), gone(180), hold(3, 90)],
    },
    fires: [[19], [200], [201], [210], [265]],
  },
  {
    name: 'an old 521 is none when a new Prometheus finds a proxy that has been running',
    alert: 'AhaSendAccountDisabled',
    series: { ...UP, [disabled('MAIL')]: [hold(5, 120)] },
    fires: [[0], [1], [6], [59], [61], [100]],
  },
  {
    name: 'three refused mails an hour are one alert without gaps',
    alert: 'AhaSendAccountDisabled',
    series: {
      ...UP,
      [disabled('MAIL')]: [hold(0, 10), hold(1, 20), hold(2, 20), hold(3, 20), hold(3, 80)],
      [accepted]: [hold(7, 70), hold(8, 80)],
    },
    fires: [
      [9],
      [11, accountDisabled(1)],
      [29, accountDisabled(1)],
      [31, accountDisabled(2)],
      [49, accountDisabled(2)],
      [69, accountDisabled(3)],
      [79, accountDisabled(2)],
      [81],
    ],
  },
  {
    name: 'one 521 among three mails an hour is told once',
    alert: 'AhaSendAccountDisabled',
    series: {
      ...UP,
      [disabled('MAIL')]: [hold(0, 10), hold(1, 120)],
      [accepted]: [hold(7, 30), ...steps(7, 20, 5)],
    },
    fires: [[9], [11, accountDisabled(1)], [29, accountDisabled(1)], [39, accountDisabled(1)], [41], [51], [56], [65]],
  },
  {
    name: 'of two accounts under one name one is disabled, which the mail of the other does not hide',
    alert: 'AhaSendAccountDisabled',
    series: {
      ...UP,
      [disabled('MAIL')]: [hold(0, 10), ...steps(0, 20, 3), hold(3, 40)],
      [accepted]: [grow(0, 10, 110)],
    },
    fires: [
      [9],
      [11, accountDisabled(1)],
      [20, accountDisabled(1)],
      [29, accountDisabled(1)],
      [31, accountDisabled(2)],
      [40, accountDisabled(2)],
      [49, accountDisabled(2)],
      [79, accountDisabled(2)],
      [81],
    ],
  },
  {
    name: 'where nothing was accepted in an hour the last 521 is told for an hour',
    alert: 'AhaSendAccountDisabled',
    series: {
      ...UP,
      [disabled('MAIL')]: [hold(0, 70), hold(1, 90)],
      [accepted]: [grow(0, 1, 5), hold(5, 155)],
    },
    fires: [[69], [71, accountDisabled(1)], [102, accountDisabled(1)], [129, accountDisabled(1)], [131]],
  },
  {
    name: 'an old 521 is none when the target gets a label more',
    alert: 'AhaSendAccountDisabled',
    series: {
      process_uptime_seconds: [grow(100_000, 60, 60), gone(120)],
      [labelled('process_uptime_seconds', 'env="prod"')]: [gone(60), grow(103_600, 60, 120)],
      [disabled('MAIL')]: [hold(3, 60), gone(120)],
      [labelled(disabled('MAIL'), 'env="prod"')]: [gone(60), hold(3, 60), hold(4, 60)],
      [accepted]: [grow(0, 1, 60), gone(120)],
      [labelled(accepted, 'env="prod"')]: [gone(60), grow(60, 1, 120)],
    },
    fires: [[59], [60.5], [62], [70], [119], [121, accountDisabled(1)], [151]],
  },
  {
    name: 'behind a Collector an old 521 of one proxy is none when another is restarted',
    alert: 'AhaSendAccountDisabled',
    series: {
      [labelled('process_uptime_seconds', 'exported_instance="a"')]: [grow(1e6, 60, 180)],
      [labelled('process_uptime_seconds', 'exported_instance="b"')]: [grow(1e6, 60, 60), grow(5, 60, 120)],
      [labelled(disabled('MAIL'), 'exported_instance="a", otel_scope_name="ahasend-smtp-proxy"')]: [hold(3, 180)],
      [labelled(disabled('MAIL'), 'exported_instance="b", otel_scope_name="ahasend-smtp-proxy"')]: [
        hold(0, 120),
        hold(1, 60),
      ],
    },
    fires: [[59], [61], [80], [110], [121, accountDisabled(1)]],
  },
]

const greeting = (code: number, cause: string) => reply('CONNECT', code, cause)

const shedding = (severity: 'critical' | 'warning', share: string) =>
  ({
    severity,
    labels: SERVER,
    description: `send.ahasend.com refused ${share} of new connections with 421. Apps that retry send their mail late. Apps that do not retry lose it.`,
  }) as const

export const LOAD_SHEDDING: readonly Scenario[] = [
  {
    name: 'a storm pages within minutes and is over half an hour after it',
    alert: 'AhaSendLoadShedding',
    every: 0.5,
    series: {
      ...UP,
      [greeting(220, 'none')]: [grow(0, 10, 120), hold(1200, 15), grow(1200, 10, 50)],
      [greeting(421, 'load_shedding')]: [hold(0, 120), grow(0, 10, 15), hold(150, 50)],
    },
    fires: [[119.5], [122], [127, shedding('critical', '11.68%')], [134, shedding('critical', '23.38%')], [175]],
  },
  {
    name: 'a storm goes on through restarts of the proxy',
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
    name: 'a single refusal is nothing at three connections an hour',
    alert: 'AhaSendLoadShedding',
    every: 2,
    series: {
      ...UP,
      [greeting(220, 'none')]: [...steps(0, 20, 12), ...steps(12, 20, 12)],
      [greeting(421, 'load_shedding')]: [hold(0, 240), hold(1, 240)],
    },
    fires: [[238], [242], [246], [260], [300], [470]],
  },
  {
    name: 'an outage at three connections an hour pages all the same',
    alert: 'AhaSendLoadShedding',
    every: 2,
    series: {
      ...UP,
      [greeting(220, 'none')]: [...steps(0, 20, 18), hold(18, 200)],
      [greeting(421, 'load_shedding')]: [hold(0, 360), ...steps(0, 20, 10)],
    },
    fires: [[358], [362], [420], [438], [444, shedding('critical', '27.67%')], [498, shedding('critical', '41.04%')]],
  },
  {
    name: 'one connection in fifty is a ticket after an hour, and none hours after it stopped',
    alert: 'AhaSendLoadShedding',
    every: 2,
    series: {
      ...UP,
      [greeting(220, 'none')]: [grow(0, 10, 440)],
      [greeting(421, 'load_shedding')]: [grow(0, 0.2, 100), hold(20, 340)],
    },
    fires: [[60], [98, shedding('warning', '1.961%')], [430]],
  },
]
