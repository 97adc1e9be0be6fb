/** Rig 3: the events of a session, replayed into the metrics and read as a scrape would, and into spans. */

import type { Telemetry } from '../../proxy/events/observer.ts'
import type { SessionEvent } from '../../proxy/events/session-event.ts'
import { scraped } from './scrape.ts'
import { traced, treeOf } from './span-tree.ts'

/** What is the same for every script, and what differs from run to run: times, and how the upstream was reached. */
const LEFT_OUT = /^#|^target_info|_bucket\{|_duration_seconds_sum|^smtp_proxy_upstream_dial|^smtp_proxy_certificate| 0$/
/** Labels that are the same in every line: one upstream, no named clients. */
const SAME = /,?(server_address|smtp_client_name)="[^"]*"/g

/** Replays sessions into new metrics; returns the series that are not 0, one line each, as Prometheus would read them. */
export async function metricLinesOf(sessions: readonly (readonly SessionEvent[])[]): Promise<string[]> {
  const { metrics, page } = scraped({ servers: ['127.0.0.1'], clients: [] })
  replay(sessions, metrics)
  const lines = (await page()).split('\n').filter((line) => line !== '' && !LEFT_OUT.test(line))
  return lines.map((line) => line.replace(SAME, '').replace('{,', '{').replace('{}', ''))
}

/** The spans of sessions, when all are kept, as trees. */
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
