import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { SpanStatusCode } from '@opentelemetry/api'
import { AlwaysOffSampler, ParentBasedSampler, type Sampler, TraceIdRatioBasedSampler } from '@opentelemetry/sdk-trace'
import type { Loss, Signal } from '../../../otel/export/losses.ts'
import type { MessageHeaders } from '../../../proxy/events/transaction.ts'
import { named, only } from '../../support/telemetry/named-spans.ts'
import { dial, oneMail, reply, SessionStory } from '../../support/telemetry/session-events.ts'
import { type Traced, type TracedOptions, traced } from '../../support/telemetry/span-tree.ts'

const never = new AlwaysOffSampler()
/** The trace of an app's request, as in its `traceparent`. */
const TRACE = '0af7651916cd43dd8448eb211c80319c'
const PARENT = 'b7ad6b7169203331'

/** One message to one recipient, up to its body. */
function messageWith(headers: MessageHeaders = {}, opening = {}): SessionStory {
  return new SessionStory(opening).dials().greeted().mail().rcpt().data().headers(headers)
}

function played(story: SessionStory, options: TracedOptions = {}): Traced {
  const all = traced(options)
  story.tell(all.telemetry)
  return all
}

describe('A message is a span from MAIL to the final reply', () => {
  const { spans } = played(messageWith().accepted(2000, ['0123456789abcdef0123456789abcdef'], 30).closed('quit'))
  const message = only(spans(), 'smtp.transaction')

  test('with the times of the events, to the microsecond', () => {
    assert.deepEqual(message.startTime, [1000, 120_000_000])
    assert.deepEqual(message.endTime, [1000, 180_000_000])
  })

  test('and a child for each command, with its own times', () => {
    const children = spans().filter((span) => span.parentSpanContext?.spanId === message.spanContext().spanId)
    assert.deepEqual(
      children.map(({ name, startTime, endTime }) => [name, startTime[1] / 1e6, endTime[1] / 1e6]),
      [
        ['MAIL', 120, 130],
        ['RCPT', 130, 140],
        ['DATA', 140, 150],
        ['END-OF-MESSAGE', 150, 180],
      ],
    )
    for (const child of children) assert.equal(child.spanContext().traceId, message.spanContext().traceId)
  })

  test("the session's span is in another trace; each links to the other", () => {
    const session = only(spans(), 'smtp.session')
    assert.notEqual(session.spanContext().traceId, message.spanContext().traceId)
    assert.equal(session.parentSpanContext, undefined)
    assert.equal(message.links[0]?.context.spanId, session.spanContext().spanId)
    assert.equal(message.links[0]?.context.traceId, session.spanContext().traceId)
    assert.equal(session.links[0]?.context.spanId, message.spanContext().spanId)
  })

  test("AhaSend's ids are on the span", () => {
    assert.deepEqual(message.attributes['smtp.message.ids'], ['0123456789abcdef0123456789abcdef'])
  })
})

describe('If the sampler keeps nothing, these spans are kept', () => {
  const refused = reply(553, { cause: 'recipient_rejected' })
  const cases: readonly [string, SessionStory, string[]][] = [
    ['an accepted message: none', messageWith().accepted(1).closed('quit'), []],
    ['a client that gave up: none', messageWith().reset().closed('quit'), []],
    ['an idle session: none', new SessionStory().dials().greeted().closed('idle'), []],
    [
      "AhaSend's idle 421: none",
      new SessionStory()
        .greeted()
        .exchange('UNSOLICITED', reply(421, { cause: 'idle_timeout' }))
        .closed('upstream_421'),
      [],
    ],
    [
      'a refused message, and its session',
      messageWith().refused('END-OF-MESSAGE', refused).closed('quit'),
      ['smtp.transaction', 'smtp.session'],
    ],
    [
      'a message in doubt, and its session',
      messageWith().inDoubt('upstream_lost', 10).closed('upstream_closed'),
      ['smtp.transaction', 'smtp.session'],
    ],
    [
      'a slow message, and its session',
      messageWith().accepted(1, [], 5001).closed('quit'),
      ['smtp.transaction', 'smtp.session'],
    ],
    ['a slow greeting', new SessionStory().greeted(reply(220), 5001).closed('quit'), ['smtp.session']],
    [
      'a session without upstream',
      new SessionStory().dials({ error: 'tls_untrusted' }).closed('dial_failed'),
      ['smtp.session'],
    ],
    [
      'wrong credentials',
      new SessionStory().greeted().authenticated('PLAIN', reply(535)).closed('quit'),
      ['smtp.session'],
    ],
    [
      'load shedding between messages',
      new SessionStory()
        .greeted()
        .exchange('UNSOLICITED', reply(421, { cause: 'load_shedding' }))
        .closed('upstream_421'),
      ['smtp.session'],
    ],
    ['an opaque session', new SessionStory().greeted().opaque('reply_mismatch').closed('quit'), ['smtp.session']],
  ]
  for (const [name, story, kept] of cases) {
    test(name, () => {
      const roots = played(story, { sampler: never, slowMs: 5000 })
        .spans()
        .filter((span) => span.name.startsWith('smtp.') && span.name !== 'smtp.dial')
      assert.deepEqual(
        roots.map((span) => span.name),
        kept,
      )
    })
  }

  test('a failed preconnect: a trace of its own; a successful one: none', () => {
    const { telemetry, spans } = traced({ sampler: never })
    telemetry.dial(dial({ error: 'connect_refused' }))
    telemetry.dial(dial())
    assert.equal(only(spans(), 'smtp.dial').attributes['error.type'], 'connect_refused')
  })

  test('a message that is not kept creates no span and asks the sampler once', () => {
    let asked = 0
    const sampler: Sampler = {
      shouldSample() {
        asked += 1
        return never.shouldSample()
      },
    }
    const { spans } = played(messageWith().accepted(1), { sampler })
    assert.equal(spans().length, 0)
    assert.equal(asked, 1)
  })
})

describe('A message whose header names a trace', () => {
  const sampled = { traceparent: `00-${TRACE}-${PARENT}-01`, tracestate: 'vendor=1' }
  const unsampled = { traceparent: `00-${TRACE}-${PARENT}-00` }
  const parentBased = new ParentBasedSampler({ root: never })

  test('is part of it: its span is a child of the span that the header names', () => {
    const { spans, lines } = played(messageWith(sampled).accepted(1), { sampler: parentBased })
    const message = only(spans(), 'smtp.transaction')
    assert.equal(message.spanContext().traceId, TRACE)
    assert.equal(message.parentSpanContext?.spanId, PARENT)
    assert.equal(message.spanContext().traceState?.get('vendor'), '1')
    assert.equal(lines()[0]?.trace_id, TRACE)
    assert.equal(lines()[0]?.span_id, message.spanContext().spanId)
    assert.equal(lines()[0]?.trace_flags, '01')
  })

  test('has its commands in the same trace', () => {
    const { spans } = played(messageWith(sampled).accepted(1), { sampler: parentBased })
    assert.equal(only(spans(), 'RCPT').spanContext().traceId, TRACE)
  })

  test('that is not sampled is not kept, but its log line has the trace id', () => {
    const { spans, lines } = played(messageWith(unsampled).accepted(1), { sampler: parentBased })
    assert.equal(spans().length, 0)
    assert.equal(lines()[0]?.trace_id, TRACE)
    assert.equal(lines()[0]?.span_id, undefined)
    assert.equal(lines()[0]?.trace_flags, '00')
  })

  test('that is not sampled is kept if the message failed', () => {
    const { spans } = played(messageWith(unsampled).refused('END-OF-MESSAGE', reply(552)), { sampler: parentBased })
    assert.equal(only(spans(), 'smtp.transaction').spanContext().traceId, TRACE)
  })

  test('starts a trace of its own without the propagator tracecontext', () => {
    const { spans } = played(messageWith(sampled).accepted(1), { joinTraces: false })
    assert.notEqual(only(spans(), 'smtp.transaction').spanContext().traceId, TRACE)
  })
})

describe('Limits', () => {
  test('a ratio of messages is kept, and the trace id decides', () => {
    const { telemetry, spans } = traced({ sampler: new TraceIdRatioBasedSampler(0.5) })
    for (let message = 0; message < 400; message++) oneMail().tell(telemetry)
    const kept = named(spans(), 'smtp.transaction')
    assert.ok(kept.length > 120 && kept.length < 280, `${kept.length} of 400`)
    const asked = kept.map((span) =>
      new TraceIdRatioBasedSampler(0.5).shouldSample(undefined as never, span.spanContext().traceId),
    )
    assert.ok(asked.every(({ decision }) => decision === 2))
    assert.equal(named(spans(), 'smtp.session').length, kept.length, 'a session is kept with its message')
  })

  test('a thousand recipients: 127 of them have spans, the others are counted', () => {
    const story = new SessionStory().mail()
    for (let recipient = 0; recipient < 1000; recipient++) story.rcpt()
    const { spans } = played(story.data().accepted(1))
    const message = only(spans(), 'smtp.transaction')
    assert.equal(named(spans(), 'RCPT').length, 127)
    assert.equal(message.attributes['smtp.exchanges.omitted'], 875)
    assert.equal(message.attributes['smtp.message.recipient_count'], 1000)
  })

  test('a session with 300 messages links to the first 128, and every message links to the session', () => {
    const story = new SessionStory().greeted()
    for (let message = 0; message < 300; message++) story.mail().rcpt().data().accepted(1)
    const { spans } = played(story.closed('quit'))
    const session = only(spans(), 'smtp.session')
    assert.equal(session.links.length, 128)
    for (const message of named(spans(), 'smtp.transaction')) {
      assert.equal(message.links[0]?.context.spanId, session.spanContext().spanId)
    }
  })

  for (const [reason, detail] of [['proxy_header', 'no_header'], ['not_allowed'], ['session_limit']] as const)
    test(`a session that is refused without a reply is kept, with ${reason} as its error`, () => {
      const { telemetry, spans } = traced({ sampler: never })
      new SessionStory().closedSilently(reason, detail).tell(telemetry)
      const session = only(spans(), 'smtp.session')
      assert.equal(session.attributes['error.type'], reason)
      assert.equal(session.attributes['smtp.session.close_reason'], reason)
      assert.equal(session.attributes['smtp.session.close_detail'], detail)
      assert.equal(session.status.code, SpanStatusCode.ERROR)
    })

  test('of refused sessions, ten per second and reason are kept, and the others are counted', (context) => {
    context.mock.timers.enable({ apis: ['setTimeout'] })
    const counted: [Signal, Loss, number | undefined][] = []
    const losses = { count: (...loss: [Signal, Loss, number?]) => void counted.push(loss as (typeof counted)[number]) }
    const { telemetry, spans } = traced({ losses, sampler: never })
    for (let session = 0; session < 1000; session++) {
      new SessionStory()
        .greeted(reply(421, { origin: 'proxy', cause: 'not_allowed' }))
        .closed('not_allowed')
        .tell(telemetry)
    }
    context.mock.timers.tick(1000)
    assert.equal(named(spans(), 'smtp.session').length, 10)
    assert.deepEqual(counted, [['traces', 'rate_limited', 990]])
  })
})
