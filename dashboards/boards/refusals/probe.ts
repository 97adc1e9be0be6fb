/** The fourth row: what the probe is refused. The dashboard of the proxy has no room for it. */
import * as units from '@grafana/grafana-foundation-sdk/units'
import { PROBE_FAILURES } from '../../alerts/thresholds.ts'
import { labels } from '../../names.ts'
import { events, lines } from '../../panels/graphs.ts'
import { runbookLink } from '../../panels/links.ts'
import { stat } from '../../panels/stats.ts'
import { rangeTexts, thresholds } from '../../panels/values.ts'
import { RATE_INTERVAL, selectProbes } from '../../promql/queries.ts'
import type { Row } from '../dashboard.ts'

const lastRun = stat({
  title: 'Last run of the probe',
  description:
    'Whether every step of the last run succeeded. The probe connects to the proxy every minute like an app, but sends no ' +
    'message. It is optional: docs/probe.md describes it.',
  unit: units.Short,
  queries: [{ expr: `min(${selectProbes.series('probeSuccess')})` }],
  thresholds: thresholds('red', [0.5, 'green']),
  mappings: rangeTexts({ to: 0.5, text: 'Failed', color: 'red' }, { from: 0.5, text: 'Succeeded', color: 'green' }),
  noValue: 'No probe seen',
  links: [runbookLink('SmtpProxyProbeFailing'), runbookLink('SmtpProxyProbeAbsent')],
})

const failedRuns = events({
  title: 'Failed runs of the probe',
  description:
    'Runs that failed since the last success, by the step and the error of the last run. A number is the reply code of ' +
    `AhaSend or of the proxy. The alert fires at ${PROBE_FAILURES}.`,
  queries: [
    {
      expr: `max by (${labels('smtp.probe.step', 'error.type')}) (${selectProbes.series('probeFailures')})`,
      legend: '{{smtp_probe_step}} {{error_type}}',
    },
  ],
  noValue: 'No failed runs seen',
  links: [runbookLink('SmtpProxyProbeFailing')],
})

/** A shorter window often has no run. */
const INTERVAL = '3m'

const average = (part: 'sum' | 'count') =>
  `sum by (${labels('smtp.probe.step')}) (rate(${selectProbes[part]('probeStepDuration')}[${RATE_INTERVAL}]))`

const durations = lines({
  title: 'Time of each step of the probe',
  description:
    'The average over a few runs. greeting includes the connection from the proxy to AhaSend. A step that failed or did ' +
    'not run has no value.',
  unit: units.Seconds,
  queries: [{ expr: `${average('sum')} / ${average('count')}`, legend: '{{smtp_probe_step}}', interval: INTERVAL }],
  logarithmic: 10,
})

export const probe: Row = {
  heading: 'Do the runs of the probe succeed?',
  height: 8,
  panels: [
    [4, lastRun],
    [10, failedRuns],
    [10, durations],
  ],
}
