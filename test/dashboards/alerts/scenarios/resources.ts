/** The alert about shortages on the proxy's own machine. */

import { grow, hold, LONG_RUNNING, type Scenario } from './scenario.ts'
import { dials, reply, withLabel } from './series.ts'

const SHORT = 'local_resources_exhausted'
const failed = dials(SHORT)
const refusedApps = reply('CONNECT', 421, SHORT, { origin: 'proxy' })

const short = (severity: 'critical' | 'warning', count: number, instance = 'proxy:9464') =>
  ({
    severity,
    labels: { instance },
    description: `${instance} could not open ${count} connections to AhaSend because its machine had no file descriptors, local ports or memory left. The log line "dial failed" shows which limit to raise.`,
  }) as const

export const OUT_OF_RESOURCES: readonly Scenario[] = [
  {
    name: 'a proxy without file descriptors is critical while it refuses apps',
    alert: 'SmtpProxyOutOfResources',
    series: { ...LONG_RUNNING, [failed]: [hold(0, 20), grow(0, 4, 5), hold(20, 40)] },
    fires: [[19.75], [22, short('critical', 8), short('warning', 8)], [31, short('warning', 20)], [56]],
  },
  {
    name: 'one failed dial is a warning, even as the first event of its series',
    alert: 'SmtpProxyOutOfResources',
    series: { ...LONG_RUNNING, [failed]: [hold(0, 20), hold(1, 40)] },
    fires: [[19.75], [20.25, short('warning', 1)], [51]],
  },
  {
    name: 'only the instance without resources fires',
    alert: 'SmtpProxyOutOfResources',
    series: {
      'process_uptime_seconds{instance="a"}': [grow(1e5, 60, 60)],
      'process_uptime_seconds{instance="b"}': [grow(1e5, 60, 60)],
      [withLabel(failed, 'instance="a"')]: [hold(0, 60)],
      [withLabel(failed, 'instance="b"')]: [hold(0, 20), hold(1, 40)],
    },
    fires: [[19.75], [20.25, short('warning', 1, 'b')], [51]],
  },
  {
    name: 'a local shortage does not fire the alert about AhaSend',
    alert: 'AhaSendUnreachable',
    series: {
      ...LONG_RUNNING,
      [dials()]: [grow(0, 4, 20), hold(80, 60)],
      [failed]: [hold(0, 20), grow(0, 4, 60)],
      [refusedApps]: [hold(0, 20), grow(0, 4, 60)],
    },
    fires: [[19], [26], [45], [79]],
  },
]
