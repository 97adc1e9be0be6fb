/** Alerts about the proxy itself. */

import { gone, grow, hold, LONG_RUNNING, type Scenario, steps } from './scenario.ts'
import { ENDED_SESSIONS } from './series.ts'

const OBSERVER_FAILURES = 'smtp_proxy_observer_failures_total'
const INSTANCE = { instance: 'proxy:9464' }

export const DOWN: readonly Scenario[] = [
  {
    name: 'a proxy that cannot be reached for a minute is critical until it can be reached',
    alert: 'SmtpProxyDown',
    series: { up: [hold(1, 10), hold(0, 5), hold(1, 5)] },
    fires: [
      [9.75],
      [10.5],
      [11.25, { severity: 'critical', description: 'Prometheus cannot reach any instance of ahasend-smtp-proxy.' }],
      [15.25],
    ],
  },
  {
    name: 'one of two proxies is a warning',
    alert: 'SmtpProxyDown',
    series: {
      'up{instance="one:9464"}': [hold(1, 10), hold(0, 5), hold(1, 5)],
      'up{instance="two:9464"}': [hold(1, 20)],
    },
    fires: [
      [9.75],
      [
        11.25,
        {
          severity: 'warning',
          labels: { instance: 'one:9464' },
          description: 'Prometheus cannot reach one:9464. Other instances answer.',
        },
      ],
      [15.25],
    ],
  },
  {
    name: 'a restart of half a minute does not fire',
    alert: 'SmtpProxyDown',
    series: { up: [hold(1, 10), hold(0, 0.5), hold(1, 5)] },
    fires: [[9.75], [10.25], [11], [12]],
  },
]

const unknown = {
  severity: 'critical',
  description:
    'Prometheus has no target with the job ahasend-smtp-proxy, and no proxy metrics arrive over OTLP. While this lasts, no alert can report that mail fails.',
} as const

export const ABSENT: readonly Scenario[] = [
  {
    name: 'a proxy that is no longer a target is critical after five minutes and resolves when it is a target again',
    alert: 'SmtpProxyAbsent',
    series: { up: [hold(1, 10), gone(20), hold(1, 10)], [OBSERVER_FAILURES]: [hold(0, 10), gone(20), hold(0, 10)] },
    fires: [[9.75], [12], [21, unknown], [30.25]],
  },
  {
    name: 'a proxy that sends its metrics over OTLP is not absent, and neither is a target that is down',
    alert: 'SmtpProxyAbsent',
    series: { up: [gone(30), hold(0, 30)], [OBSERVER_FAILURES]: [hold(0, 30), gone(30)] },
    fires: [[1], [10], [29], [36], [45], [59]],
  },
  {
    name: 'a proxy of another job, such as one under test, does not resolve it',
    alert: 'SmtpProxyAbsent',
    series: {
      up: [hold(1, 10), gone(20), hold(1, 10)],
      [OBSERVER_FAILURES]: [hold(0, 10), gone(20), hold(0, 10)],
      'up{job="under-test"}': [hold(1, 40)],
      [`${OBSERVER_FAILURES}{job="under-test"}`]: [hold(0, 40)],
    },
    fires: [[9.75], [12], [21, unknown], [30.25]],
  },
]

export const RESTARTING: readonly Scenario[] = [
  {
    name: 'three starts in 15 minutes fire, one or two do not',
    alert: 'SmtpProxyRestarting',
    series: {
      [OBSERVER_FAILURES]: [hold(0, 60)],
      process_uptime_seconds: [grow(9000, 60, 10), grow(5, 60, 3), grow(5, 60, 3), grow(5, 60, 3), grow(185, 60, 40)],
    },
    fires: [
      [9],
      [11],
      [14],
      [
        17,
        {
          severity: 'warning',
          labels: INSTANCE,
          description:
            'proxy:9464 started 3 times in 15 minutes. Each restart interrupts connections and in-flight messages.',
        },
      ],
      [32],
    ],
  },
  {
    name: 'another program that restarts repeatedly does not fire',
    alert: 'SmtpProxyRestarting',
    series: { process_uptime_seconds: [grow(9000, 60, 10), grow(5, 60, 3), grow(5, 60, 3), grow(5, 60, 10)] },
    fires: [[9], [17], [20]],
  },
]

const opaque = 'smtp_proxy_session_opaque_total{smtp_opaque_reason="reply_mismatch"}'

export const OPAQUE: readonly Scenario[] = [
  {
    name: 'a few opaque sessions in a hundred fire until an hour after the last one',
    alert: 'SmtpProxySessionsOpaque',
    every: 1,
    series: {
      ...LONG_RUNNING,
      [opaque]: [hold(0, 60), grow(0, 1, 10), hold(10, 80)],
      [ENDED_SESSIONS]: [grow(0, 5, 150)],
    },
    fires: [
      [59],
      [62],
      [
        69,
        {
          severity: 'warning',
          labels: { smtp_opaque_reason: 'reply_mismatch' },
          description:
            'The proxy could not parse 9 sessions in the last hour: reply_mismatch. Mail is not affected, but metrics, logs and traces are incomplete.',
        },
      ],
      [135],
    ],
  },
  {
    name: 'a few opaque sessions in thousands do not fire',
    alert: 'SmtpProxySessionsOpaque',
    every: 1,
    series: { ...LONG_RUNNING, [opaque]: [hold(0, 60), hold(5, 60)], [ENDED_SESSIONS]: [grow(0, 50, 120)] },
    fires: [[59], [62], [70], [119]],
  },
]

const failing = (count: number) =>
  ({
    severity: 'warning',
    labels: INSTANCE,
    description: `The telemetry code failed ${count} times at proxy:9464 in 15 minutes. Mail is not affected, but metrics, logs or traces are incomplete. This is a bug.`,
  }) as const

export const OBSERVER: readonly Scenario[] = [
  {
    name: 'one failure fires for 15 minutes',
    alert: 'SmtpProxyObserverFailing',
    series: { ...LONG_RUNNING, [OBSERVER_FAILURES]: [hold(0, 20), hold(1, 30)] },
    fires: [[19.75], [20.25, failing(1)], [36]],
  },
  {
    name: 'the first failure after a restart fires, even if one was counted before the restart',
    alert: 'SmtpProxyObserverFailing',
    series: {
      process_uptime_seconds: [grow(9000, 60, 20), grow(5, 60, 40)],
      [OBSERVER_FAILURES]: [hold(1, 20), hold(1, 40)],
    },
    fires: [[19.75], [20.25, failing(1)], [36]],
  },
]

const losing = (count: number, loss: string) =>
  ({
    severity: 'warning',
    labels: { telemetry_signal: 'traces', telemetry_loss: loss },
    description: `${count} records of traces were lost in 15 minutes (${loss}). Records were also lost in the 15 minutes before. Mail is not affected.`,
  }) as const

const lost = (loss: string) => `smtp_proxy_telemetry_lost_total{telemetry_signal="traces", telemetry_loss="${loss}"}`

export const LOST: readonly Scenario[] = [
  {
    name: 'a receiver that stays down fires within half an hour, until 15 minutes after it is back',
    alert: 'SmtpProxyTelemetryLost',
    series: { ...LONG_RUNNING, [lost('export_failed')]: [hold(0, 20), grow(0, 20, 40), hold(800, 20)] },
    fires: [[19], [30], [42, losing(300, 'export_failed')], [74, losing(15, 'export_failed')], [76]],
  },
  {
    name: 'a burst every twelve minutes fires without gaps',
    alert: 'SmtpProxyTelemetryLost',
    series: { ...LONG_RUNNING, [lost('queue_full')]: [hold(0, 12), ...steps(0, 12, 10), hold(10, 40)] },
    fires: [
      [11],
      [25],
      [40, losing(1, 'queue_full')],
      [46, losing(1, 'queue_full')],
      [58, losing(1, 'queue_full')],
      [73, losing(2, 'queue_full')],
      [100, losing(1, 'queue_full')],
      [136],
    ],
  },
  {
    name: 'a restart of the receiver does not fire, and neither do records that the rate limit drops',
    alert: 'SmtpProxyTelemetryLost',
    series: {
      ...LONG_RUNNING,
      [lost('export_failed')]: [hold(0, 20), grow(0, 20, 4), hold(80, 60)],
      [lost('rate_limited')]: [grow(0, 20, 80)],
    },
    fires: [[19], [24], [35.75], [37], [38.75], [39.5], [60]],
  },
]

export const OVERFLOWING: readonly Scenario[] = [
  {
    name: 'a metric with too many series fires with its name',
    alert: 'SmtpProxyMetricsOverflowing',
    series: {
      'smtp_proxy_replies_total{smtp_command="OTHER"}': [hold(5, 30)],
      'smtp_proxy_replies_total{otel_metric_overflow="true"}': [gone(10), hold(1, 10), gone(10)],
      'other_metric_total{otel_metric_overflow="true"}': [hold(1, 30)],
    },
    fires: [
      [9.75],
      [
        10,
        {
          severity: 'warning',
          labels: { metric: 'smtp_proxy_replies_total' },
          description:
            'smtp_proxy_replies_total has overflowed. Its total is correct, but the values by label are too low.',
        },
      ],
      [26],
    ],
  },
]
