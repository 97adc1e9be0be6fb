/** The third row: whether the proxy has enough resources. */
import * as units from '@grafana/grafana-foundation-sdk/units'
import { lines } from '../../panels/graphs.ts'
import { sumBy } from '../../panels/panels.ts'
import { SELECTED_APPS, spanWith, tracesLink, tracesOfLargeMessages } from '../../panels/traces.ts'
import { ofProxies, perSecond, quantile, RATE_INTERVAL, select } from '../../promql/queries.ts'
import type { Row } from '../dashboard.ts'
import { loopActivity } from './queries.ts'

const LOOP = '{{instance}} loop {{smtp_loop}}'

const loops = lines({
  title: 'Event loops and CPU',
  description:
    'The share of time in which each event loop that relays mail was active (PROXY_WORKERS sets their number), and the ' +
    'CPU usage of the whole process: 100% is one core.',
  unit: units.PercentUnit,
  queries: [
    { expr: loopActivity(RATE_INTERVAL), legend: LOOP },
    { expr: `sum by (instance) (${ofProxies(perSecond('cpuTime'))})`, legend: '{{instance}} CPU' },
  ],
})

const delays = lines({
  title: 'Event loop delay, p99',
  description:
    'The longest delay of the event loop in each second; 1% of seconds have a longer one. Each reply can take longer by ' +
    'this delay. Above 100 ms, something blocks the loop.',
  unit: units.Seconds,
  queries: [{ expr: quantile(0.99, RATE_INTERVAL, 'loopDelay', {}, 'instance', 'smtp.loop'), legend: LOOP }],
  links: [tracesLink('Traces of slow messages', spanWith(SELECTED_APPS, 'transaction', 'duration > 2s'))],
})

const memory = lines({
  title: 'Memory',
  description:
    'Physical memory of each process, and the used heap of its event loops. A heap that grows steadily is a leak.',
  unit: units.BytesIEC,
  queries: [
    { expr: ofProxies(select.series('memoryUsage')), legend: '{{instance}}' },
    { expr: select.series('loopHeap'), legend: `${LOOP} heap` },
  ],
})

const traffic = lines({
  title: 'Bytes relayed',
  description: 'Bytes per second, without TLS overhead. transmit: from apps to AhaSend. receive: from AhaSend to apps.',
  unit: units.BytesPerSecondIEC,
  queries: [sumBy(perSecond('io'), 'network.io.direction')],
  links: [tracesOfLargeMessages],
})

export const resources: Row = {
  heading: 'Does the proxy have enough resources?',
  height: 8,
  panels: [
    [12, loops],
    [12, delays],
    [12, memory],
    [12, traffic],
  ],
}
