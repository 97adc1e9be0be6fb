/** Alerts about the proxy itself. */

import { labels } from '../names.ts'
import { BY_INSTANCE, BY_JOB, type Counts } from '../promql/counts.ts'
import { HOUR, MINUTE } from '../promql/durations.ts'
import { joined } from '../promql/expressions.ts'
import type { RuleMaker } from '../promql/rule-maker.ts'
import { type Alert, dashboards } from './alert.ts'
import { proxyHeaderAlerts } from './proxy-header.ts'
import { refusedAlerts } from './refused.ts'
import { CERTIFICATE, JOB, OPAQUE, RESTARTS, TURNED_AWAY } from './thresholds.ts'

export function proxyAlerts(make: RuleMaker, counts: Counts): readonly Alert[] {
  return [
    ...down(),
    absent(make),
    restarting(make),
    ...refusedAlerts(make, counts),
    ...proxyHeaderAlerts(make, counts),
    ...outOfResources(make, counts),
    certificate(make, 'critical'),
    certificate(make, 'warning'),
    sessionsOpaque(make),
    observerFailing(make, counts),
    telemetryLost(make),
    metricsOverflowing(),
  ]
}

/** critical: no proxy answers. warning: one of several does not. */
function down(): Alert[] {
  const up = `up{job="${JOB}"}`
  const shared = { name: 'SmtpProxyDown', for: MINUTE, panel: [dashboards.proxy, 'Proxy uptime'] } as const
  return [
    {
      ...shared,
      severity: 'critical',
      expr: `max by (job) (${up}) == 0`,
      summary: 'No proxy answers Prometheus: apps may be unable to send mail.',
      description: ({ label }) => `Prometheus cannot reach any instance of ${label('job')}.`,
    },
    {
      ...shared,
      severity: 'warning',
      expr: joined('and on (job)', `${up} == 0`, `max by (job) (${up}) == 1`),
      summary: 'One of the proxies does not answer Prometheus.',
      description: ({ label }) => `Prometheus cannot reach ${label('instance')}. Other instances answer.`,
    },
  ]
}

/** Neither scraped nor received over OTLP. A proxy that is down is still a target, and has its own alert. */
function absent(make: RuleMaker): Alert {
  const received = make.select.series('observerFailures')
  return {
    name: 'SmtpProxyAbsent',
    severity: 'critical',
    expr: joined('unless on (job)', `absent(up{job="${JOB}"})`, received),
    for: 5 * MINUTE,
    summary: 'No proxy is being monitored.',
    description: () =>
      `Prometheus has no target with the job ${JOB}, and no proxy metrics arrive over OTLP. While this lasts, no alert ` +
      'can report that mail fails.',
    panel: [dashboards.proxy, 'Proxy uptime'],
  }
}

function restarting(make: RuleMaker): Alert {
  const ours = make.select.series('observerFailures')
  const starts = `resets(${make.select.series('uptime')}[${make.span(15 * MINUTE)}])`
  return {
    name: 'SmtpProxyRestarting',
    severity: 'warning',
    expr: joined(`and on (${labels(...BY_INSTANCE)})`, `${starts} >= ${RESTARTS}`, ours),
    for: 0,
    summary: 'A proxy restarts repeatedly.',
    description: ({ count, label }) =>
      `${label('instance')} started ${count} times in 15 minutes. Each restart interrupts connections and in-flight messages.`,
    panel: [dashboards.proxy, 'Proxy uptime'],
  }
}

/** Counted by failed dials: the session gets 421, or another upstream serves it. */
function outOfResources(make: RuleMaker, { outOfResources: failed }: Counts): Alert[] {
  const shared = {
    name: 'SmtpProxyOutOfResources',
    for: 0,
    description: ({ count, label }) =>
      `${label('instance')} could not open ${count} connections to AhaSend because its machine had no file descriptors, ` +
      'local ports or memory left. The log line "dial failed" shows which limit to raise.',
    panel: [dashboards.limits, 'Failed dials by reason'],
  } as const satisfies Partial<Alert>
  return [
    {
      ...shared,
      severity: 'critical',
      expr: `${make.sumOf(failed, 5 * MINUTE)} >= ${TURNED_AWAY}`,
      summary: 'The proxy refuses connections from apps: its machine has run out of resources.',
    },
    {
      ...shared,
      severity: 'warning',
      expr: `${make.sumOf(failed, 30 * MINUTE)} > 0`,
      summary: "The proxy's machine is running out of resources for connections.",
    },
  ]
}

function certificate(make: RuleMaker, severity: 'critical' | 'warning'): Alert {
  const ends = make.select.series('certificateNotAfter', { 'tls.side': 'listener' })
  return {
    name: 'SmtpProxyCertificateExpiring',
    severity,
    expr: `min by (${labels(...BY_INSTANCE)}) (${ends}) - time() < ${CERTIFICATE.listener[severity]}`,
    for: 15 * MINUTE,
    summary: "The certificate of the proxy's listeners expires soon.",
    description: ({ time, label }) =>
      `The certificate in PROXY_TLS_CERT_FILE at ${label('instance')} expires in ${time}. From then on, apps that ` +
      'verify the certificate cannot send mail.',
    panel: [dashboards.proxy, 'Days left on certificates'],
  }
}

function sessionsOpaque(make: RuleMaker): Alert {
  const opaque = make.increase(make.select.series('sessionOpaque'), HOUR)
  const ended = make.sum(BY_JOB, make.increase(make.select.count('sessionDuration'), HOUR))
  return {
    name: 'SmtpProxySessionsOpaque',
    severity: 'warning',
    expr: joined(
      'and',
      `${make.sum([...BY_JOB, 'smtp.opaque.reason'], opaque)} >= ${OPAQUE.count}`,
      `${make.sum([...BY_JOB, 'smtp.opaque.reason'], opaque)} / on (job) group_left () ${ended} > ${OPAQUE.share}`,
    ),
    for: 5 * MINUTE,
    summary: 'The proxy relays sessions that it cannot parse: telemetry misses their messages.',
    description: ({ count, label }) =>
      `The proxy could not parse ${count} sessions in the last hour: ${label('smtp.opaque.reason')}. Mail is not ` +
      'affected, but metrics, logs and traces are incomplete.',
    panel: [dashboards.proxy, 'Opaque sessions'],
  }
}

function observerFailing(make: RuleMaker, counts: Counts): Alert {
  return {
    name: 'SmtpProxyObserverFailing',
    severity: 'warning',
    expr: `${make.sumOf(counts.observerFailures, 15 * MINUTE)} > 0`,
    for: 0,
    summary: 'The telemetry code of the proxy fails.',
    description: ({ count, label }) =>
      `The telemetry code failed ${count} times at ${label('instance')} in 15 minutes. Mail is not affected, but ` +
      'metrics, logs or traces are incomplete. This is a bug.',
    panel: [dashboards.proxy, 'Telemetry losses'],
  }
}

/**
 * Records were lost in two quarters of an hour in a row. A short burst, such as during a restart of the receiver, can lie in
 * both quarters, but only for as long as the burst lasted: `for` waits for that to pass. Records that the proxy drops on
 * purpose, because there were too many of one kind, do not count: no one can fix that.
 */
function telemetryLost(make: RuleMaker): Alert {
  const lost = make.select.series('telemetryLost', { 'telemetry.loss': { not: 'rate_limited' } })
  const quarter = 15 * MINUTE
  const some = (grown: string) => `${make.sum([...BY_JOB, 'telemetry.signal', 'telemetry.loss'], grown)} > 0`
  return {
    name: 'SmtpProxyTelemetryLost',
    severity: 'warning',
    expr: joined('and', some(make.increase(lost, quarter)), some(make.increaseBefore(lost, quarter, quarter))),
    for: 5 * MINUTE,
    summary: 'Traces, metrics or log lines are lost.',
    description: ({ count, label }) =>
      `${count} records of ${label('telemetry.signal')} were lost in 15 minutes (${label('telemetry.loss')}). Records ` +
      'were also lost in the 15 minutes before. Mail is not affected.',
    panel: [dashboards.proxy, 'Telemetry losses'],
  }
}

/** Finds the label that OpenTelemetry sets on the series that collects everything beyond a metric's series limit. */
function metricsOverflowing(): Alert {
  const ours = `{__name__=~"smtp_proxy_.+", otel_metric_overflow="true"}`
  const named = `label_replace(${ours}, "metric", "$1", "__name__", "(.+)")`
  return {
    name: 'SmtpProxyMetricsOverflowing',
    severity: 'warning',
    expr: `group by (job, metric) (${named})`,
    for: 0,
    summary: 'A metric exceeds its limit of series: the rest is counted without labels.',
    description: () =>
      '{{ $labels.metric }} has overflowed. Its total is correct, but the values by label are too low.',
    panel: [dashboards.proxy, 'Telemetry losses'],
  }
}
