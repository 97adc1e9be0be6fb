import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { SpanStatusCode } from '@opentelemetry/api'
import {
  AlwaysOffSampler,
  ParentBasedSampler,
  type ReadableSpan,
  type Sampler,
  TraceIdRatioBasedSampler,
} from '@opentelemetry/sdk-trace'
import type { Loss, Signal } from '../../../otel/export/losses.ts'
import type { MessageHeaders } from '../../../proxy/events/transaction.ts'
import { dial, oneMail, reply, SessionStory } from '../../support/session-events.ts'
import { type Traced, type TracedOptions, traced } from '../../support/span-tree.ts'

const never = new AlwaysOffSampler()
/** The trace of an app's request, as its `traceparent` names it. */
const TRACE = '0af7651916cd43dd8448eb211c80319c'
const PARENT = 'b7ad6b7169203331'

function named(spans: readonly ReadableSpan[], name: string): readonly ReadableSpan[] {
  return spans.filter((span) => span.name === name)
}

function only(spans: readonly ReadableSpan[], name: string): ReadableSpan {
  const found = named(spans, name)
  assert.equal(found.length, 1, `${found.length} spans are called ${name}`)
  return found[0]!
}

/** One mail to one recipient, up to the reply to its body. */
function mailWith(headers: MessageHeaders = {}, opening = {}): SessionStory {
  return new SessionStory(opening).dials().greeted().mail().rcpt().data().headers(headers)
}

function told(story: SessionStory, options: TracedOptions = {}): Traced {
  const all = traced(options)
  story.tell(all.telemetry)
  return all
}

describe('A mail is a span that begins with MAIL and ends with its verdict', () => {
  const { spans } = told(mailWith().accepted(2000, ['0123456789abcdef0123456789abcdef'], 30).closed('quit'))
  const mail = only(spans(), 'smtp.transaction')

  test('with the times of the events, to the microsecond', () => {
    assert.deepEqual(mail.startTime, [1000, 120_000_000])
    assert.deepEqual(mail.endTime, [1000, 180_000_000])
  })

  test('and a child for each command, with its own times', () => {
    const children = spans().filter((span) => span.parentSpanContext?.spanId === mail.spanContext().spanId)
    assert.deepEqual(
      children.map(({ name, startTime, endTime }) => [name, startTime[1] / 1e6, endTime[1] / 1e6]),
      [
        ['MAIL', 120, 130],
        ['RCPT', 130, 140],
        ['DATA', 140, 150],
        ['END-OF-MESSAGE', 150, 180],
      ],
    )
    for (const child of children) assert.equal(child.spanContext().traceId, mail.spanContext().traceId)
  })

  test("the session's span is another trace; each names the other", () => {
    const session = only(spans(), 'smtp.session')
    assert.notEqual(session.spanContext().traceId, mail.spanContext().traceId)
    assert.equal(session.parentSpanContext, undefined)
    assert.equal(mail.links[0]?.context.spanId, session.spanContext().spanId)
    assert.equal(mail.links[0]?.context.traceId, session.spanContext().traceId)
    assert.equal(session.links[0]?.context.spanId, mail.spanContext().spanId)
  })

  test("AhaSend's ids are on the span", () => {
    assert.deepEqual(mail.attributes['smtp.message.ids'], ['0123456789abcdef0123456789abcdef'])
  })
})

describe('What is kept when the sampler wants nothing', () => {
  const refused = reply(553, { cause: 'recipient_rejected' })
  const cases: readonly [string, SessionStory, string[]][] = [
    ['an accepted mail: nothing', mailWith().accepted(1).closed('quit'), []],
    ['a client that gave up: nothing', mailWith().reset().closed('quit'), []],
    ['an idle session: nothing', new SessionStory().dials().greeted().closed('idle'), []],
    [
      "AhaSend's idle 421: nothing",
      new SessionStory()
        .greeted()
        .exchange('UNSOLICITED', reply(421, { cause: 'idle_timeout' }))
        .closed('upstream_421'),
      [],
    ],
    [
      'a refused mail, and its session',
      mailWith().refused('END-OF-MESSAGE', refused).closed('quit'),
      ['smtp.transaction', 'smtp.session'],
    ],
    [
      'a mail in doubt, and its session',
      mailWith().inDoubt('upstream_lost', 10).closed('upstream_closed'),
      ['smtp.transaction', 'smtp.session'],
    ],
    [
      'a slow mail, and its session',
      mailWith().accepted(1, [], 5001).closed('quit'),
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
      'load shedding between mails',
      new SessionStory()
        .greeted()
        .exchange('UNSOLICITED', reply(421, { cause: 'load_shedding' }))
        .closed('upstream_421'),
      ['smtp.session'],
    ],
    [
      'a session that was not understood',
      new SessionStory().greeted().opaque('reply_mismatch').closed('quit'),
      ['smtp.session'],
    ],
  ]
  for (const [name, story, kept] of cases) {
    test(name, () => {
      const roots = told(story, { sampler: never, slowMs: 5000 })
        .spans()
        .filter((span) => span.name.startsWith('smtp.') && span.name !== 'smtp.dial')
      assert.deepEqual(
        roots.map((span) => span.name),
        kept,
      )
    })
  }

  test('a failed dial ahead of need: a trace of its own; one that succeeded: nothing', () => {
    const { telemetry, spans } = traced({ sampler: never })
    telemetry.dial(dial({ error: 'connect_refused' }))
    telemetry.dial(dial())
    assert.equal(only(spans(), 'smtp.dial').attributes['error.type'], 'connect_refused')
  })

  test('a mail that is not kept makes no span at all, and asks the sampler once', () => {
    let asked = 0
    const sampler: Sampler = {
      shouldSample() {
        asked += 1
        return never.shouldSample()
      },
    }
    const { spans } = told(mailWith().accepted(1), { sampler })
    assert.equal(spans().length, 0)
    assert.equal(asked, 1)
  })
})

describe('A mail whose header names a trace', () => {
  const sampled = { traceparent: `00-${TRACE}-${PARENT}-01`, tracestate: 'vendor=1' }
  const unsampled = { traceparent: `00-${TRACE}-${PARENT}-00` }
  const parentBased = new ParentBasedSampler({ root: never })

  test('is part of it: its span lies below the one that the header names', () => {
    const { spans, lines } = told(mailWith(sampled).accepted(1), { sampler: parentBased })
    const mail = only(spans(), 'smtp.transaction')
    assert.equal(mail.spanContext().traceId, TRACE)
    assert.equal(mail.parentSpanContext?.spanId, PARENT)
    assert.equal(mail.spanContext().traceState?.get('vendor'), '1')
    assert.equal(lines()[0]?.trace_id, TRACE)
    assert.equal(lines()[0]?.span_id, mail.spanContext().spanId)
    assert.equal(lines()[0]?.trace_flags, '01')
  })

  test('and its commands lie below it, in the same trace', () => {
    const { spans } = told(mailWith(sampled).accepted(1), { sampler: parentBased })
    assert.equal(only(spans(), 'RCPT').spanContext().traceId, TRACE)
  })

  test('that nobody keeps is not kept either, but its log line names the trace', () => {
    const { spans, lines } = told(mailWith(unsampled).accepted(1), { sampler: parentBased })
    assert.equal(spans().length, 0)
    assert.equal(lines()[0]?.trace_id, TRACE)
    assert.equal(lines()[0]?.span_id, undefined)
    assert.equal(lines()[0]?.trace_flags, '00')
  })

  test('that nobody keeps is kept when the mail failed', () => {
    const { spans } = told(mailWith(unsampled).refused('END-OF-MESSAGE', reply(552)), { sampler: parentBased })
    assert.equal(only(spans(), 'smtp.transaction').spanContext().traceId, TRACE)
  })

  test('without the propagator tracecontext it stays alone', () => {
    const { spans } = told(mailWith(sampled).accepted(1), { joinTraces: false })
    assert.notEqual(only(spans(), 'smtp.transaction').spanContext().traceId, TRACE)
  })
})

describe('Spans and log lines', () => {
  test('say the same of a mail, and name each other', () => {
    const { spans, lines } = told(mailWith({ sandbox: true }).refused('END-OF-MESSAGE', reply(552), 70).closed('quit'))
    for (const [name, msg] of [
      ['smtp.transaction', 'transaction'],
      ['smtp.session', 'session'],
    ] as const) {
      const {
        level: _,
        time,
        msg: __,
        duration_ms,
        trace_id,
        span_id,
        trace_flags,
        dial: ___,
        ...line
      } = lines().find((one) => one.msg === msg) ?? {}
      const span = only(spans(), name)
      assert.deepEqual({ ...span.attributes }, line)
      assert.equal(trace_id, span.spanContext().traceId)
      assert.equal(span_id, span.spanContext().spanId)
    }
  })

  test('the tags of a mail are on its span only', () => {
    const { spans, lines } = told(mailWith({ tags: ['welcome', 'eu'] }).accepted(1))
    assert.deepEqual(only(spans(), 'smtp.transaction').attributes['ahasend.tags'], ['welcome', 'eu'])
    assert.ok(!JSON.stringify(lines()).includes('welcome'))
  })

  test('a session on a connection that was dialled ahead says so, and where it leads', () => {
    const ahead = dial({ serverAddress: 'second.example', serverPort: 2525, peerAddress: '198.51.100.9' })
    const all = traced()
    const observe = new SessionStory().tell(all.telemetry)
    observe({ type: 'handover', at: 1_000_000, dial: ahead, preconnected: true })
    for (const event of mailWith().accepted(1).closed('quit').events.slice(1)) observe(event)
    const { attributes } = only(all.spans(), 'smtp.session')
    assert.equal(attributes['smtp.dial.ahead'], true)
    assert.equal(attributes['server.address'], 'second.example')
    assert.equal(attributes['network.peer.address'], '198.51.100.9')
    assert.equal(only(all.spans(), 'smtp.transaction').attributes['server.port'], 2525)
    assert.equal(named(all.spans(), 'smtp.dial').length, 0)
  })
})

describe('Much of a kind', () => {
  test('a ratio of mails is kept, and the trace id decides', () => {
    const { telemetry, spans } = traced({ sampler: new TraceIdRatioBasedSampler(0.5) })
    for (let mail = 0; mail < 400; mail++) oneMail().tell(telemetry)
    const kept = named(spans(), 'smtp.transaction')
    assert.ok(kept.length > 120 && kept.length < 280, `${kept.length} of 400`)
    const asked = kept.map((span) =>
      new TraceIdRatioBasedSampler(0.5).shouldSample(undefined as never, span.spanContext().traceId),
    )
    assert.ok(asked.every(({ decision }) => decision === 2))
    assert.equal(named(spans(), 'smtp.session').length, kept.length, 'a session is kept with its mail')
  })

  test('a thousand recipients: 127 of them have spans, the others are counted', () => {
    const story = new SessionStory().mail()
    for (let recipient = 0; recipient < 1000; recipient++) story.rcpt()
    const { spans } = told(story.data().accepted(1))
    const mail = only(spans(), 'smtp.transaction')
    assert.equal(named(spans(), 'RCPT').length, 127)
    assert.equal(mail.attributes['smtp.exchanges.omitted'], 875)
    assert.equal(mail.attributes['smtp.message.recipient_count'], 1000)
  })

  test('a session of 300 mails links the first 128, and every mail links the session', () => {
    const story = new SessionStory().greeted()
    for (let mail = 0; mail < 300; mail++) story.mail().rcpt().data().accepted(1)
    const { spans } = told(story.closed('quit'))
    const session = only(spans(), 'smtp.session')
    assert.equal(session.links.length, 128)
    for (const mail of named(spans(), 'smtp.transaction')) {
      assert.equal(mail.links[0]?.context.spanId, session.spanContext().spanId)
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

  test('of sessions that are turned away, ten a second are kept for each reason, and the rest are counted', (context) => {
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
