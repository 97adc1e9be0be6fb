/** Is mail flowing? The answer and its reason, for what happened last. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TransactionOutcome } from '../../proxy/events/closed-sets.ts'
import type { ReplyFacts } from '../../proxy/events/reply.ts'
import { ago, type Evidence, type Flowing, flowOf } from '../../status/flow.ts'
import { Minutes } from '../../status/minutes.ts'
import { Moments } from '../../status/moments.ts'
import type { UpstreamReport } from '../../status/upstreams.ts'

const NOW = Date.UTC(2026, 0, 1, 12, 0, 30)

/** What happened, and how many seconds ago. */
class Story {
  readonly minutes = new Minutes()
  readonly moments = new Moments()
  upstreams: UpstreamReport[] = []
  draining = false

  messages(outcome: TransactionOutcome, count: number, secondsAgo = 10): this {
    const at = NOW - secondsAgo * 1000
    this.minutes.of('billing', at).outcomes[outcome] += count
    this.moments.message(outcome, at)
    return this
  }

  refused(count: number, reply: Pick<ReplyFacts, 'code' | 'cause'>, secondsAgo = 10): this {
    const counts = this.minutes.of('billing', NOW - secondsAgo * 1000)
    counts.refusedSessions += count
    counts.replied(reply, count)
    return this
  }

  strangers(count: number): this {
    this.minutes.of('other', NOW - 10_000).notAllowed += count
    return this.refused(count, { code: 421, cause: 'not_allowed' })
  }

  login(app: string, code: number, secondsAgo: number): this {
    const cause = code === 535 ? 'invalid_credentials' : 'none'
    this.moments.login(app, NOW - secondsAgo * 1000, { code, cause, origin: 'upstream' })
    return this
  }

  disabled(secondsAgo: number): this {
    this.moments.accountDisabled(NOW - secondsAgo * 1000)
    return this
  }

  dialled(server: string, ok: boolean, secondsAgo = 10): this {
    const failure = ok ? {} : ({ error: 'connect_timeout', explanation: 'the connection attempt timed out' } as const)
    this.upstreams.push({ server, last: { at: NOW - secondsAgo * 1000, ok, milliseconds: 5, ...failure } })
    return this
  }

  greeted(replyCode: number, secondsAgo = 10): this {
    const failure = {
      error: 'greeting_refused',
      explanation: 'the upstream refused this connection',
      replyCode,
    } as const
    this.upstreams.push({
      server: 'a:25',
      last: { at: NOW - secondsAgo * 1000, ok: false, milliseconds: 5, ...failure },
    })
    return this
  }

  evidence(): Evidence {
    const { draining, moments, upstreams } = this
    return { now: NOW, draining, minutes: this.minutes.last(NOW), moments, upstreams }
  }
}

const LOAD = { code: 421, cause: 'load_shedding' } as const

const CASES: readonly [what: string, story: Story, flowing: Flowing, reason: RegExp][] = [
  ['nothing happened yet', new Story(), 'idle', /^No message in the last 5 minutes. None since the start.$/],
  ['the last message was long ago', new Story().messages('accepted', 3, 900), 'idle', /accepted 15 min ago/],
  ['all messages are accepted', new Story().messages('accepted', 3), 'yes', /^3 messages accepted/],
  ['one of 100 fails', new Story().messages('accepted', 99).messages('permfail', 1), 'yes', /^99 messages/],
  ['one of ten fails', new Story().messages('accepted', 9).messages('tempfail', 1), 'partly', /^1 of 10/],
  ['one of 100 is in doubt', new Story().messages('accepted', 99).messages('in_doubt', 1), 'partly', /^1 of 100/],
  ['most messages fail', new Story().messages('accepted', 2).messages('tempfail', 3), 'no', /^3 of 5/],
  ['every message fails', new Story().messages('tempfail', 4), 'no', /^4 of 4/],
  [
    'all sessions are turned away',
    new Story().refused(7, LOAD),
    'no',
    /with 421: AhaSend is overloaded and temporarily refuses new connections\.$/,
  ],
  [
    'strangers are refused',
    new Story().strangers(12),
    'idle',
    /^No message .* refused 12 sessions .* not in PROXY_ALLOW\.$/,
  ],
  [
    'strangers are refused beside mail',
    new Story().messages('accepted', 1).strangers(1),
    'yes',
    /^1 message .* 1 session of/,
  ],
  ['apps give up', new Story().messages('aborted', 4), 'idle', /^No message/],
  [
    'the account is disabled',
    new Story().messages('accepted', 9, 60).disabled(20),
    'no',
    /disabled the account \(521, 20 s/,
  ],
  ['it is restored', new Story().disabled(20).messages('accepted', 9, 5), 'yes', /^9 messages/],
  ['it was disabled an hour ago, and no one has sent since', new Story().disabled(4000), 'no', /521, 1 h ago/],
  ['AhaSend cannot be reached', new Story().dialled('a:25', false), 'no', /cannot be reached .* timed out\.$/],
  [
    'every greeting is 421, and no app has connected',
    new Story().greeted(421),
    'no',
    /^AhaSend refuses new connections with 421 \(10 s ago\): AhaSend is overloaded/,
  ],
  [
    'every greeting is 421, for another reason',
    new Story().greeted(421).refused(3, { code: 421, cause: 'internal_error' }),
    'no',
    /with 421 \(10 s ago\): AhaSend has a temporary problem\.$/,
  ],
  [
    'every greeting is 554, and apps were refused with 421 before',
    new Story().greeted(554).refused(3, LOAD),
    'no',
    /^AhaSend refuses new connections with 554 \(10 s ago\)\.$/,
  ],
  [
    'every greeting is 554',
    new Story().greeted(554),
    'no',
    /^AhaSend refuses new connections with 554 \(10 s ago\)\.$/,
  ],
  [
    'the second upstream answers',
    new Story().dialled('a:25', false).dialled('b:25', true).messages('accepted', 1),
    'yes',
    /1/,
  ],
  ['open connections still carry mail', new Story().dialled('a:25', false, 60).messages('accepted', 5), 'yes', /^5/],
  ['every app is refused at login', new Story().login('shop', 535, 30), 'no', /password of shop \(535\)/],
  ['one app is refused at login', new Story().login('shop', 535, 30).messages('accepted', 5), 'partly', /of shop/],
  [
    'it has a new password',
    new Story().login('shop', 535, 30).login('shop', 235, 5).messages('accepted', 1),
    'yes',
    /1/,
  ],
  ['a login failed long ago', new Story().login('shop', 535, 3000).messages('accepted', 1), 'yes', /1/],
  [
    'an app without a name is refused',
    new Story().login('other', 535, 30),
    'no',
    /apps without a name \(PROXY_CLIENTS\)/,
  ],
]

for (const [what, story, flowing, reason] of CASES) {
  test(`${what}: ${flowing}`, () => {
    const flow = flowOf(story.evidence())
    assert.equal(flow.flowing, flowing, flow.reason)
    assert.match(flow.reason, reason)
  })
}

const NEXT: readonly [what: string, story: Story, actor: string | undefined, runbook: string | undefined][] = [
  ['the account is disabled', new Story().disabled(20), 'Account owner', 'AhaSendAccountDisabled'],
  ['AhaSend cannot be reached', new Story().dialled('a:25', false), 'Proxy operator', 'AhaSendUnreachable'],
  ['AhaSend refuses connections', new Story().greeted(421), 'No one: retried', 'AhaSendLoadShedding'],
  ['AhaSend refuses connections without a known cause', new Story().greeted(554), undefined, undefined],
  ['a login is refused', new Story().login('shop', 535, 30), 'App: password', 'AhaSendCredentialsRejected'],
  ['sessions are turned away', new Story().refused(7, LOAD), 'No one: retried', 'AhaSendLoadShedding'],
  ['messages fail without a known cause', new Story().messages('tempfail', 3), undefined, undefined],
  ['all is well', new Story().messages('accepted', 3), undefined, undefined],
]

for (const [what, story, actor, runbook] of NEXT) {
  test(`${what}: ${actor ?? 'no one'} must act`, () => {
    const { next } = flowOf(story.evidence())
    assert.deepEqual([next?.actor, next?.runbook], [actor, runbook])
  })
}

test('while the proxy stops, this is the answer', () => {
  const story = new Story().messages('accepted', 3)
  story.draining = true
  assert.equal(flowOf(story.evidence()).flowing, 'draining')
})

test('times are rounded to the unit that people read', () => {
  assert.deepEqual([0, 59_400, 60_000, 3_599_000, 7_300_000].map(ago), [
    '0 s ago',
    '59 s ago',
    '1 min ago',
    '59 min ago',
    '2 h ago',
  ])
})
