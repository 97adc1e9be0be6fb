/** The first row: whether the proxy is healthy. */
import * as units from '@grafana/grafana-foundation-sdk/units'
import { CERTIFICATE } from '../../alerts/thresholds.ts'
import { runbookLink } from '../../panels/links.ts'
import { stat } from '../../panels/stats.ts'
import { notMeasured, rangeTexts, thresholds, zeroIsGood } from '../../panels/values.ts'
import { DAY } from '../../promql/durations.ts'
import {
  endedSessions,
  growth,
  measured,
  orZero,
  RECENT,
  select,
  selectWholeProxies,
  sum,
  whileScraped,
} from '../../promql/queries.ts'
import type { Row } from '../dashboard.ts'
import { loopActivity, OWN_REFUSALS, UPTIME } from './queries.ts'

/** Excludes records that the rate limit drops by design. */
const LOST = { 'telemetry.loss': { not: 'rate_limited' } } as const

const daysLeft = `(min by (tls_side) (${select.series('certificateNotAfter')}) - time()) / ${DAY}`

/** The share of time (0 to 1) in which the busiest event loop was active. */
const BUSIEST_LOOP = `max(${loopActivity(RECENT)})`

/** The number of checks that fail. */
const failedChecks = [
  `(${orZero(`${sum(endedSessions(RECENT, OWN_REFUSALS, selectWholeProxies))} > bool 0`)})`,
  `(${sum(growth(RECENT, 'sessionOpaque', {}, selectWholeProxies))} > bool 0)`,
  `(${sum(growth(RECENT, 'telemetryLost', LOST, selectWholeProxies))} > bool 0)`,
  `(${sum(growth(RECENT, 'observerFailures', {}, selectWholeProxies))} > bool 0)`,
  `(${BUSIEST_LOOP} > bool 0.8)`,
  `(${orZero(`min(${daysLeft}) < bool ${CERTIFICATE.listener.critical / DAY}`)})`,
].join(' + ')

const isHealthy = stat({
  title: 'Is the proxy healthy?',
  description:
    'Over the last five minutes. Yes: the proxy refused no session, no session became opaque, no telemetry was lost, no ' +
    'telemetry observer failed, no event loop was busy for more than 80% of the time, and no certificate expires within ' +
    'three days. No: the number of these six checks that fail. They cover all apps of the selected proxies.',
  unit: units.Short,
  queries: [{ expr: measured(failedChecks) }],
  thresholds: zeroIsGood(),
  mappings: rangeTexts(
    notMeasured('Just started'),
    { from: -0.5, to: 0.5, text: 'Yes', color: 'green' },
    ...[1, 2, 3, 4, 5, 6].map((n) => ({ from: n - 0.5, to: n + 0.5, text: `No (${n})`, color: 'red' })),
  ),
  decimals: 0,
  filled: true,
  noValue: 'No proxy seen',
  links: [runbookLink('SmtpProxyDown'), runbookLink('SmtpProxyAbsent')],
})

const scraped = stat({
  title: 'Proxies seen',
  description: 'The number of proxies that Prometheus scrapes now, and the uptime of the one that started last.',
  unit: units.Seconds,
  queries: [
    { expr: `count(${UPTIME})`, legend: 'proxies' },
    { expr: `min(${UPTIME})`, legend: 'shortest uptime' },
  ],
  thresholds: thresholds('text'),
  units: { proxies: units.Short },
  noValue: 'none',
  links: [runbookLink('SmtpProxyDown'), runbookLink('SmtpProxyRestarting')],
})

const busy = stat({
  title: 'Busiest event loop',
  description:
    'The share of the last five minutes in which the busiest event loop was active. Near 100%, mail is delayed.',
  unit: units.PercentUnit,
  queries: [{ expr: whileScraped(BUSIEST_LOOP) }],
  thresholds: thresholds('green', [0.6, 'orange'], [0.8, 'red']),
  decimals: 0,
})

const certificates = stat({
  title: 'Days left on certificates',
  description:
    "Days until the certificates expire: the one that AhaSend presented last (upstream), and the listeners' own, if they " +
    'have one. AhaSend renews its certificate.',
  unit: units.Short,
  queries: [{ expr: daysLeft, legend: '{{tls_side}}' }],
  thresholds: thresholds(
    'red',
    [CERTIFICATE.listener.critical / DAY, 'orange'],
    [CERTIFICATE.listener.warning / DAY, 'green'],
  ),
  decimals: 0,
  links: [runbookLink('SmtpProxyCertificateExpiring'), runbookLink('AhaSendCertificateExpiring')],
})

export const summary: Row = {
  heading: 'Is the proxy healthy?',
  height: 5,
  panels: [
    [6, isHealthy],
    [6, scraped],
    [6, busy],
    [6, certificates],
  ],
}
