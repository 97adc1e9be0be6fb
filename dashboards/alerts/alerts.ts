/** All alerts, and the recording rules that they need. */

import { countsOf } from '../promql/counts.ts'
import { HOUR } from '../promql/durations.ts'
import { type Making, type Recording, RuleMaker } from '../promql/rule-maker.ts'
import { ahasendAlerts } from './ahasend.ts'
import type { Alert } from './alert.ts'
import { alertingAlerts } from './alerting.ts'
import { appAlerts } from './apps.ts'
import { errorBudgetAlerts } from './error-budget.ts'
import { limitAlerts } from './limits.ts'
import { probeAlerts } from './probe.ts'
import { proxyAlerts } from './proxy.ts'
import { tlsAlerts } from './tls.ts'

/** Everything that Prometheus evaluates. */
export interface Rules {
  /** Recordings with windows of an hour or less, and those with longer windows, which are evaluated less often. */
  readonly recordings: { readonly short: readonly Recording[]; readonly long: readonly Recording[] }
  readonly alerts: readonly Alert[]
  /** The same alerts by topic. */
  readonly topics: readonly AlertTopic[]
}

/** Alerts about one topic, for people. */
export interface AlertTopic {
  readonly title: string
  readonly about: string
  readonly alerts: readonly Alert[]
}

const TOPICS = [
  { title: 'AhaSend', about: 'What AhaSend and the network path to it do.', alertsOf: ahasendAlerts },
  { title: 'Apps', about: 'What AhaSend refuses because of an app.', alertsOf: appAlerts },
  {
    title: "AhaSend's limits",
    about: 'Apps that come close to a limit of AhaSend, or exceed it.',
    alertsOf: limitAlerts,
  },
  {
    title: 'Mail as a whole',
    about:
      'The error budget: over 30 days, at most 1 in 200 attempts may fail for reasons other than the message itself.',
    alertsOf: errorBudgetAlerts,
  },
  {
    title: 'The proxy',
    about: 'The proxy itself, its machine, its listeners and its telemetry.',
    alertsOf: proxyAlerts,
  },
  { title: 'TLS of apps', about: 'Apps that fail to establish TLS with the proxy.', alertsOf: tlsAlerts },
  {
    title: 'The probe',
    about: 'The probe, which tests the proxy every minute like an app.',
    alertsOf: probeAlerts,
  },
  { title: 'Alerting', about: 'Prometheus, Alertmanager and the delivery of notifications.', alertsOf: alertingAlerts },
] as const

/** The rules in the order of their evaluation: alerts about AhaSend come before those that look them up in ALERTS. */
export function rulesOf(making: Making = {}): Rules {
  const make = new RuleMaker(making)
  const counts = countsOf(make)
  const topics = TOPICS.map(({ alertsOf, ...topic }) => ({ ...topic, alerts: alertsOf(make, counts) }))
  const { recordings } = make
  return {
    recordings: {
      short: recordings.filter(({ window }) => window <= HOUR),
      long: recordings.filter(({ window }) => window > HOUR),
    },
    alerts: topics.flatMap(({ alerts }) => alerts),
    topics,
  }
}
