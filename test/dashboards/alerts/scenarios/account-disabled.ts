/** The alert about a disabled account. */

import { gone, grow, hold, LONG_RUNNING, type Scenario, steps } from './scenario.ts'
import { BILLING, messages, reply, withLabel } from './series.ts'

const disabled = (command: string, instance?: string) => reply(command, 521, 'account_disabled', { instance })
const accepted = messages('accepted')

const accountDisabled = (count: number) =>
  ({
    severity: 'critical',
    labels: BILLING,
    description: `send.ahasend.com answered 521 to billing ${count} times in the last hour. AhaSend accepts no mail from this account until the account is restored, and apps do not retry after a 521. The account is suspended, out of credits or paused. AhaSend pauses an account for too many recent bounces, forbidden content, a high spam score, a violation of the terms of service or a manual review; a parent account can also pause it. Only AhaSend's support or the parent account can lift a pause.`,
  }) as const

export const ACCOUNT_DISABLED: readonly Scenario[] = [
  {
    name: 'one 521 fires for half an hour if messages are accepted again',
    alert: 'AhaSendAccountDisabled',
    series: {
      ...LONG_RUNNING,
      [disabled('MAIL')]: [hold(0, 10), hold(1, 50)],
      [accepted]: [grow(0, 10, 10), hold(100, 10), grow(100, 10, 40)],
    },
    fires: [[10 - 0.25], [10.25, accountDisabled(1)], [19, accountDisabled(1)], [39, accountDisabled(1)], [41]],
  },
  {
    name: 'the first 521 fires, even to a command that never had a 521 before',
    alert: 'AhaSendAccountDisabled',
    series: { ...LONG_RUNNING, [disabled('EHLO')]: [gone(80), hold(1, 40)], [accepted]: [grow(0, 10, 120)] },
    fires: [[79.75], [80, accountDisabled(1)], [84, accountDisabled(1)], [109, accountDisabled(1)], [111]],
  },
  {
    name: 'the first 521 after a restart fires, even if one was counted long before the restart',
    alert: 'AhaSendAccountDisabled',
    series: {
      process_uptime_seconds: [grow(100_000, 60, 90), gone(1), grow(5, 60, 30)],
      [disabled('MAIL')]: [hold(1, 90), gone(1), hold(1, 30)],
      [accepted]: [grow(0, 10, 90), gone(1), hold(3, 30)],
    },
    fires: [[89.75], [91.25, accountDisabled(1)], [110, accountDisabled(1)]],
  },
  {
    name: 'the first 521 of a new instance fires',
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
    name: 'a restart without a 521 does not fire',
    alert: 'AhaSendAccountDisabled',
    series: {
      process_uptime_seconds: [grow(100_000, 60, 90), gone(1), grow(5, 60, 30)],
      [disabled('MAIL')]: [hold(1, 90), gone(1), hold(0, 30)],
    },
    fires: [[89.75], [91], [91.25], [95], [110]],
  },
  {
    name: 'an old 521 does not fire after Prometheus was down for hours',
    alert: 'AhaSendAccountDisabled',
    series: {
      process_uptime_seconds: [grow(100_000, 60, 20), gone(180), grow(112_000, 60, 90)],
      [disabled('MAIL')]: [hold(3, 20), gone(180), hold(3, 90)],
    },
    fires: [[19], [200], [201], [210], [265]],
  },
  {
    name: 'an old 521 does not fire in a new Prometheus that finds a running proxy',
    alert: 'AhaSendAccountDisabled',
    series: { ...LONG_RUNNING, [disabled('MAIL')]: [hold(5, 120)] },
    fires: [[0], [1], [6], [59], [61], [100]],
  },
  {
    name: 'three refused messages an hour fire without gaps',
    alert: 'AhaSendAccountDisabled',
    series: {
      ...LONG_RUNNING,
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
    name: 'one 521 among three messages an hour fires once',
    alert: 'AhaSendAccountDisabled',
    series: {
      ...LONG_RUNNING,
      [disabled('MAIL')]: [hold(0, 10), hold(1, 120)],
      [accepted]: [hold(7, 30), ...steps(7, 20, 5)],
    },
    fires: [[9], [11, accountDisabled(1)], [29, accountDisabled(1)], [39, accountDisabled(1)], [41], [51], [56], [65]],
  },
  {
    name: 'one of two accounts under one app name is disabled: accepted messages of the other account do not hide it',
    alert: 'AhaSendAccountDisabled',
    series: {
      ...LONG_RUNNING,
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
    name: 'if no message was accepted for an hour, the last 521 fires for an hour',
    alert: 'AhaSendAccountDisabled',
    series: {
      ...LONG_RUNNING,
      [disabled('MAIL')]: [hold(0, 70), hold(1, 90)],
      [accepted]: [grow(0, 1, 5), hold(5, 155)],
    },
    fires: [[69], [71, accountDisabled(1)], [102, accountDisabled(1)], [129, accountDisabled(1)], [131]],
  },
  {
    name: 'an old 521 does not fire when the scrape target gets a new label',
    alert: 'AhaSendAccountDisabled',
    series: {
      process_uptime_seconds: [grow(100_000, 60, 60), gone(120)],
      [withLabel('process_uptime_seconds', 'env="prod"')]: [gone(60), grow(103_600, 60, 120)],
      [disabled('MAIL')]: [hold(3, 60), gone(120)],
      [withLabel(disabled('MAIL'), 'env="prod"')]: [gone(60), hold(3, 60), hold(4, 60)],
      [accepted]: [grow(0, 1, 60), gone(120)],
      [withLabel(accepted, 'env="prod"')]: [gone(60), grow(60, 1, 120)],
    },
    fires: [[59], [60.5], [62], [70], [119], [121, accountDisabled(1)], [151]],
  },
  {
    name: 'behind a Collector, an old 521 of one proxy does not fire when another proxy restarts',
    alert: 'AhaSendAccountDisabled',
    series: {
      [withLabel('process_uptime_seconds', 'exported_instance="a"')]: [grow(1e6, 60, 180)],
      [withLabel('process_uptime_seconds', 'exported_instance="b"')]: [grow(1e6, 60, 60), grow(5, 60, 120)],
      [withLabel(disabled('MAIL'), 'exported_instance="a", otel_scope_name="ahasend-smtp-proxy"')]: [hold(3, 180)],
      [withLabel(disabled('MAIL'), 'exported_instance="b", otel_scope_name="ahasend-smtp-proxy"')]: [
        hold(0, 120),
        hold(1, 60),
      ],
    },
    fires: [[59], [61], [80], [110], [121, accountDisabled(1)]],
  },
]
