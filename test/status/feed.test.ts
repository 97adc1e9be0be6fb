/** What the status page keeps of sessions, from their events. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Feed } from '../../status/feed.ts'
import { type Counts, sumByApp, sumOf } from '../../status/minutes.ts'
import { Upstreams } from '../../status/upstreams.ts'
import { dial, reply, SessionStory } from '../support/telemetry/session-events.ts'

const LOAD = reply(421, { cause: 'load_shedding' })
const LOGIN = reply(535, { cause: 'invalid_credentials' })

function feedOf(...stories: readonly SessionStory[]): Feed {
  const feed = new Feed(new Upstreams(['send.example:587']))
  for (const story of stories) {
    const observe = feed.open(story.opening)
    for (const event of story.events) observe(event)
  }
  return feed
}

function countsOf(feed: Feed): Counts {
  return sumOf(sumByApp(feed.minutes.last(1_000_000)).values())
}

test('messages count by outcome, replies by code and cause, and the final reply by its time', () => {
  const feed = feedOf(
    new SessionStory()
      .greeted()
      .mail()
      .rcpt()
      .data()
      .accepted(1000, [], 40)
      .mail()
      .refused('MAIL', LOAD)
      .closed('quit'),
  )
  const { outcomes, replies, finalReplies, sessions, refusedSessions } = countsOf(feed)
  assert.deepEqual([outcomes.accepted, outcomes.tempfail, sessions, refusedSessions], [1, 1, 1, 0])
  assert.deepEqual(Object.fromEntries([...replies].map(([key, { count }]) => [key, count])), {
    '220 none': 1,
    '250 none': 4,
    '354 none': 1,
  })
  const p50 = finalReplies.quantile(0.5)!
  assert.ok(p50 > 35 && p50 < 45, `${p50}`)
})

test('the probe counts nowhere, except that its dials show whether AhaSend can be reached', () => {
  const probe = () => new SessionStory({ clientName: 'probe' }).dials().greeted()
  const feed = feedOf(
    probe().authenticated('PLAIN', LOGIN).closed('quit'),
    probe().authenticated().mail().rcpt().reset().closed('quit'),
    probe()
      .mail()
      .refused('MAIL', reply(521, { cause: 'account_disabled' }))
      .closed('quit'),
    new SessionStory({ clientName: 'probe' }).dials({ error: 'tls_untrusted' }).closed('dial_failed'),
  )
  assert.deepEqual([...sumByApp(feed.minutes.last(1_000_000)).keys()], [])
  assert.deepEqual([feed.moments.accountDisabledAt, feed.moments.logins.size], [undefined, 0])
  assert.equal(feed.upstreams.reports()[0]?.last?.error, 'tls_untrusted')
})

const REFUSED: readonly [what: string, story: SessionStory, refused: number][] = [
  ['a greeting that refuses', new SessionStory().greeted(LOAD).closed('upstream_421'), 1],
  [
    'a refused login',
    new SessionStory().greeted().authenticated('PLAIN', LOGIN).exchange('AUTH', LOGIN).closed('quit'),
    1,
  ],
  [
    'a login that succeeds at the second try',
    new SessionStory().greeted().exchange('AUTH', LOGIN).exchange('AUTH', reply(235)).closed('quit'),
    0,
  ],
  ['an upstream that cannot be reached', new SessionStory().closed('dial_failed'), 1],
  ['a session beyond the limit', new SessionStory().closed('session_limit'), 1],
  [
    'an idle connection that AhaSend closes',
    new SessionStory()
      .greeted()
      .exchange('UNSOLICITED', reply(421, { cause: 'idle_timeout' }))
      .closed('upstream_421'),
    0,
  ],
  ['a client that only looks', new SessionStory().greeted().closed('quit'), 0],
  [
    'a refusal after a message',
    new SessionStory().greeted().mail().rcpt().data().accepted(9).exchange('UNSOLICITED', LOAD).closed('upstream_421'),
    0,
  ],
]

test('a client outside PROXY_ALLOW is counted as refused, and apart', () => {
  const { refusedSessions, notAllowed } = countsOf(
    feedOf(new SessionStory().closed('not_allowed'), new SessionStory().closed('session_limit')),
  )
  assert.deepEqual([refusedSessions, notAllowed], [2, 1])
})

for (const [what, story, refused] of REFUSED) {
  test(`${what}: ${refused === 1 ? 'refused before a message' : 'not refused before a message'}`, () => {
    assert.equal(countsOf(feedOf(story)).refusedSessions, refused)
  })
}

test('apps are apart', () => {
  const feed = feedOf(new SessionStory().greeted(), new SessionStory({ clientName: 'shop' }).greeted())
  assert.deepEqual([...sumByApp(feed.minutes.last(1_000_000)).keys()], ['billing', 'shop'])
})

test('dials count, whether or not a session waited for them', () => {
  const feed = feedOf(new SessionStory().dials())
  assert.equal(feed.upstreams.reports()[0]?.last?.ok, true)
  feed.dial(dial({ at: 2_000_000, error: 'connect_refused' }))
  assert.equal(feed.upstreams.reports()[0]?.last?.error, 'connect_refused')
})

test('the last 521, the last accepted message and the last logins are remembered', () => {
  const disabled = reply(521, { cause: 'account_disabled' })
  const { moments } = feedOf(
    new SessionStory().greeted().authenticated('PLAIN', LOGIN),
    new SessionStory({ at: 1_000_500 }).greeted().mail().rcpt().data().accepted(9),
    new SessionStory({ at: 1_001_000 }).greeted(disabled),
  )
  assert.ok(moments.acceptedAt! < moments.accountDisabledAt!)
  assert.ok(moments.logins.get('billing')?.rejectedAt)
})

test('the share of time in which an event loop worked is that since its last report', () => {
  const feed = feedOf()
  feed.observeLoop(0, { active: 1, idle: 1, delay: 0, heap: 0 })
  feed.observeLoop(0, { active: 1.25, idle: 1.75, delay: 0.01, heap: 0 })
  assert.equal(feed.loops.get(0)?.busy, 0.25)
})
