/** Everything that the status page shows, as data. */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { test } from 'node:test'
import { meanings } from '../../otel/names/meanings.ts'
import { Feed } from '../../status/feed.ts'
import { reportOf, type StatusReport, type Surroundings } from '../../status/report.ts'
import { Upstreams } from '../../status/upstreams.ts'
import { reply, SessionStory } from '../support/telemetry/session-events.ts'

const SURROUNDINGS: Surroundings = {
  version: '1.2.3',
  instance: { host: 'mail-1' },
  refusedClients: { clients: [], further: 0 },
  startedAt: 0,
  draining: false,
  listeners: ['smtp://127.0.0.1:2525'],
  limits: { sessions: 1, maxSessions: 10 },
  warnings: [],
  changes: [],
}

function reportAfter(...stories: readonly SessionStory[]): StatusReport {
  const feed = new Feed(new Upstreams(['send.example:587']))
  for (const story of stories) {
    const observe = feed.open(story.opening)
    for (const event of story.events) observe(event)
  }
  return reportOf(feed, [], SURROUNDINGS, 1_000_000)
}

const LOAD = reply(421, { cause: 'load_shedding' })

test('totals are those of all apps, and the busiest app comes first', () => {
  const message = (clientName: string) => new SessionStory({ clientName }).greeted().mail().rcpt().data().accepted(9)
  const report = reportAfter(message('billing'), message('shop'), message('shop'))
  assert.equal(report.total.outcomes.accepted, 3)
  assert.deepEqual(
    report.apps.map(({ app, outcomes }) => [app, outcomes.accepted]),
    [
      ['shop', 2],
      ['billing', 1],
    ],
  )
})

test('minutes count replies by their first digit, and a 421 apart, unless the connection was idle', () => {
  const idle = reply(421, { cause: 'idle_timeout' })
  const { minutes } = reportAfter(new SessionStory().greeted(LOAD), new SessionStory().exchange('UNSOLICITED', idle))
  const { replies, turnedAway } = minutes.at(-1)!
  assert.deepEqual([replies['4'], turnedAway], [2, 1])
  assert.equal(minutes.length, 60)
})

test('replies have the meaning of their cause, and who must act', () => {
  const [first] = reportAfter(new SessionStory().greeted(LOAD)).replies
  assert.deepEqual([first?.code, first?.count, first?.actor], [421, 1, 'No one: retried'])
  assert.match(first?.meaning ?? '', /overloaded/)
})

test('TLS failures of apps are explained', () => {
  const [failure] = reportAfter(new SessionStory().tlsFailed('app_tls_version').closed('tls_failed')).tlsFailures
  assert.deepEqual([failure?.app, failure?.count], ['billing', 1])
  assert.match(failure?.explanation ?? '', /TLS 1\.1 or older/)
})

for (const [cause, { runbook }] of Object.entries(meanings)) {
  if (runbook === undefined) continue
  test(`the runbook of ${cause} exists`, () => {
    assert.ok(existsSync(new URL(`../../dashboards/runbooks/${runbook}.md`, import.meta.url)))
  })
}

test('says whether AhaSend is reachable, by the last dial of each upstream', () => {
  const feed = new Feed(new Upstreams(['send.example:587', 'other.example:587']))
  const reachable = () => reportOf(feed, [], SURROUNDINGS, 1_000_000).reachable
  assert.equal(reachable(), null)
  const dial = { type: 'dial', at: 1000, end: 1050, serverPort: 587, phases: {}, resumed: false } as const
  feed.dial({ ...dial, serverAddress: 'send.example', error: 'connect_timeout' })
  assert.equal(reachable(), false)
  feed.dial({ ...dial, serverAddress: 'other.example' })
  assert.equal(reachable(), true)
})
