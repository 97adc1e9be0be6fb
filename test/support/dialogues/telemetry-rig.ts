/** The telemetry rig: replays the events of sessions into metrics, which it reads through a scrape, and into spans. */
import type { Telemetry } from '../../../proxy/events/observer.ts'
import type { SessionEvent } from '../../../proxy/events/session-event.ts'
import { scraped } from '../telemetry/scrape.ts'
import { traced, treeOf } from '../telemetry/span-tree.ts'

/** Lines that are the same for every script or differ between runs: times, and how the proxy reached the upstream. */
const LEFT_OUT = /^#|^target_info|_bucket\{|_duration_seconds_sum|^smtp_proxy_upstream_dial|^smtp_proxy_certificate| 0$/
/** Labels with the same value in every line: there is one upstream, and no client has a name. */
const SAME = /,?(server_address|smtp_client_name)="[^"]*"/g

/** Replays sessions into new metrics. Returns the series that are not 0, one per line, as Prometheus reads them. */
export async function metricLinesOf(sessions: readonly (readonly SessionEvent[])[]): Promise<string[]> {
  const { metrics, page } = scraped({ servers: ['127.0.0.1'], clients: [] })
  replay(sessions, metrics)
  const lines = (await page()).split('\n').filter((line) => line !== '' && !LEFT_OUT.test(line))
  return lines.map((line) => line.replace(SAME, '').replace('{,', '{').replace('{}', ''))
}

/** Returns all spans of the sessions as trees. */
export function spanLinesOf(sessions: readonly (readonly SessionEvent[])[]): string[] {
  const { telemetry, spans } = traced()
  replay(sessions, telemetry)
  return treeOf(spans())
}

function replay(sessions: readonly (readonly SessionEvent[])[], telemetry: Telemetry): void {
  for (const [open, ...events] of sessions) {
    if (open?.type !== 'session-open') throw new Error('a session begins with session-open')
    const observe = telemetry.open(open)
    for (const event of events) observe(event)
  }
}
