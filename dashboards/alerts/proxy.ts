/** Alerts about the proxy itself, and about mail as a whole. */

import { labels } from '../names.ts'
import { BY_INSTANCE, BY_JOB, type Counts, refused } from '../promql/counts.ts'
import { HOUR, joined, MINUTE, type RuleMaker } from '../promql/rule-maker.ts'
import { burning } from './ahasend.ts'
import { type Alert, dashboards } from './alert.ts'
import type { ErrorShare } from './burn-rate.ts'
import { NAMED_OUTAGES } from './outages.ts'
import { proxyHeaderAlerts } from './proxy-header.ts'
import { refusedAlerts } from './refused.ts'
import { CERTIFICATE, JOB, OPAQUE, RESTARTS, TURNED_AWAY } from './thresholds.ts'

export function proxyAlerts(make: RuleMaker, counts: Counts): readonly Alert[] {
  return [
    ...errorBudget(make),
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

/**
 * What the sum of all failures counts: messages, and sessions that end before there is one. Not a disabled account: one
 * 521 has its own page, and the account of one application must not keep the trouble of the others from paging. Not what
 * the proxy refuses or cuts when it is stopped: the apps send it again, and each restart would page. Nor marketing messages
 * whose unsubscribe link is late. Sessions above the session limit are counted by their close reason, because before TLS
 * they get no reply.
 */
function failures(make: RuleMaker): readonly string[] {
  const { series } = make.select
  const blameless = {
    noneOf: ['not_allowed', 'session_limit', 'idle_timeout', 'account_disabled', 'draining'],
  } as const
  return [
    refused(make, 'session_limit'),
    series('transactions', {
      'smtp.transaction.outcome': { oneOf: ['tempfail', 'in_doubt'] },
      'error.type': { noneOf: ['drained', 'unsubscribe_link'] },
    }),
    series('replies', {
      'smtp.command': { oneOf: ['CONNECT', 'EHLO', 'HELO', 'STARTTLS'] },
      'smtp.reply.code': { matches: '[45]..' },
      'smtp.reply.cause': blameless,
    }),
    // 5xx there are an app's credentials, which have an alert of their own
    series('replies', {
      'smtp.command': 'AUTH',
      'smtp.reply.code': { matches: '4..' },
      'smtp.reply.cause': blameless,
      'smtp.reply.origin': 'upstream',
    }),
  ]
}

/** Whatever keeps mail back, for a reason that has an alert of its own or not: what the applications see. */
function errorBudget(make: RuleMaker): Alert[] {
  const { series } = make.select
  const failed = failures(make)
  const ended = series('transactions', {
    'smtp.transaction.outcome': { oneOf: ['accepted', 'permfail'] },
    'error.type': { not: '521' },
  })
  const share: ErrorShare = {
    what: 'mail_failure',
    bad: {
      what: 'mail_failure',
      by: BY_JOB,
      of: (window) => joined('or', ...failed.map((one) => make.increase(one, window))),
    },
    total: (window) => `(${make.count(share.bad, window)} + ${make.sum(BY_JOB, make.increase(ended, window))})`,
  }
  const alerts = burning(make, share, {
    name: 'SmtpProxyErrorBudgetBurning',
    summary: 'Too much mail fails for reasons that are not its own.',
    description: ({ share: percent }) =>
      `${percent} of what applications tried failed: mails refused for now or in doubt, connections and logins turned ` +
      'away. The objective is 99.5 % over 30 days.',
    panel: [dashboards.mail, 'Accepted share'],
  })
  return alerts.map((alert) => (alert.severity === 'critical' ? exceptAfterOutage(make, alert) : alert))
}

/** The sum looks back longer than the alert that named the reason: it would page when that one is over. */
function exceptAfterOutage(make: RuleMaker, alert: Alert): Alert {
  const fired = make.fired(NAMED_OUTAGES, 'critical', 30 * MINUTE)
  return fired === undefined ? alert : { ...alert, expr: joined('unless on (job)', alert.expr, fired) }
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
      summary: 'No proxy answers: applications cannot send mail.',
      description: ({ label }) => `Prometheus reaches no instance of ${label('job')} any more.`,
    },
    {
      ...shared,
      severity: 'warning',
      expr: joined('and on (job)', `${up} == 0`, `max by (job) (${up}) == 1`),
      summary: 'One of the proxies does not answer.',
      description: ({ label }) => `Prometheus does not reach ${label('instance')}; other instances answer.`,
    },
  ]
}

/** Neither scraped nor received by OTLP. A proxy that is down is still a target, and has its own alert. */
function absent(make: RuleMaker): Alert {
  const received = make.select.series('observerFailures')
  return {
    name: 'SmtpProxyAbsent',
    severity: 'critical',
    expr: joined('unless on (job)', `absent(up{job="${JOB}"})`, received),
    for: 5 * MINUTE,
    summary: 'Nothing is known of any proxy.',
    description: () =>
      `No target of Prometheus has the job ${JOB}, and no metrics of a proxy arrive by OTLP: nobody watches the mail.`,
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
    summary: 'A proxy is started again and again.',
    description: ({ count, label }) =>
      `${label('instance')} was started ${count} times in 15 minutes. Each start breaks off what was under way.`,
    panel: [dashboards.proxy, 'Proxy uptime'],
  }
}

/** Counted by failed dials: their sessions get 421, or are served by another upstream. */
function outOfResources(make: RuleMaker, { outOfResources: failed }: Counts): Alert[] {
  const told = {
    name: 'SmtpProxyOutOfResources',
    for: 0,
    description: ({ count, label }) =>
      `${label('instance')} could not open ${count} connections to AhaSend, because its machine had no file descriptor, ` +
      'local port or memory left. The log line "dial failed" says what to raise.',
    panel: [dashboards.limits, 'Failed dials by reason'],
  } as const satisfies Partial<Alert>
  return [
    {
      ...told,
      severity: 'critical',
      expr: `${make.sumOf(failed, 5 * MINUTE)} >= ${TURNED_AWAY}`,
      summary: 'The proxy turns applications away: its machine has no resources left for connections.',
    },
    {
      ...told,
      severity: 'warning',
      expr: `${make.sumOf(failed, 30 * MINUTE)} > 0`,
      summary: "The proxy's machine runs short of resources for connections.",
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
    summary: "The certificate of the proxy's listeners is about to end.",
    description: ({ time, label }) =>
      `The certificate in PROXY_TLS_CERT_FILE at ${label('instance')} ends in ${time}. Applications that verify it ` +
      'send nothing from then on.',
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
    summary: 'Sessions are relayed without being understood: the telemetry does not see their mail.',
    description: ({ count, label }) =>
      `${count} sessions in the last hour, for ${label('smtp.opaque.reason')}. Mail goes on; metrics, logs and traces ` +
      'say less than happens.',
    panel: [dashboards.proxy, 'Opaque sessions'],
  }
}

function observerFailing(make: RuleMaker, counts: Counts): Alert {
  return {
    name: 'SmtpProxyObserverFailing',
    severity: 'warning',
    expr: `${make.sumOf(counts.observerFailures, 15 * MINUTE)} > 0`,
    for: 0,
    summary: 'The telemetry of the proxy itself fails.',
    description: ({ count, label }) =>
      `${count} failures at ${label('instance')} in 15 minutes. Mail goes on; what failed is missing in metrics, logs ` +
      'or traces. This is a bug.',
    panel: [dashboards.proxy, 'Telemetry losses'],
  }
}

/**
 * Lost in two quarters of an hour in a row, at once or in bursts. A burst that lies in both, such as a restart of the
 * receiver, does so no longer than it lasts: that is what is waited for. What is held back on purpose, because too much of
 * one kind came, is no loss that anybody can mend.
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
      `${count} records of ${label('telemetry.signal')} were lost in 15 minutes (${label('telemetry.loss')}), and some ` +
      'in the 15 minutes before. Mail is not affected.',
    panel: [dashboards.proxy, 'Telemetry losses'],
  }
}

/** OpenTelemetry's mark on what is counted beyond a metric's limit of series. */
function metricsOverflowing(): Alert {
  const ours = `{__name__=~"smtp_proxy_.+", otel_metric_overflow="true"}`
  const named = `label_replace(${ours}, "metric", "$1", "__name__", "(.+)")`
  return {
    name: 'SmtpProxyMetricsOverflowing',
    severity: 'warning',
    expr: `group by (job, metric) (${named})`,
    for: 0,
    summary: 'A metric has more series than its limit: what is beyond is counted without labels.',
    description: () => '{{ $labels.metric }} has overflowed: its sums are right, its labels are not.',
    panel: [dashboards.proxy, 'Telemetry losses'],
  }
}
