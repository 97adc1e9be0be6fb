/** Each command of a session belongs either to the message in which it was sent or to the session. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { createLogger } from '../../../otel/export/logger.ts'
import { type Loss, type Signal, uncounted } from '../../../otel/export/losses.ts'
import { Log } from '../../../otel/records/log.ts'
import { createRecords } from '../../../otel/records/recorder.ts'
import type { Traces } from '../../../otel/records/traces.ts'
import type { CommandName } from '../../../proxy/events/closed-sets.ts'
import { combine } from '../../../proxy/events/observer.ts'
import type { SessionEvent } from '../../../proxy/events/session-event.ts'
import type { MessageHeaders } from '../../../proxy/events/transaction.ts'
import { named, only } from '../../support/telemetry/named-spans.ts'
import { dial, oneMail, reply, SessionStory } from '../../support/telemetry/session-events.ts'
import { traced, treeOf } from '../../support/telemetry/span-tree.ts'

/** The span trees of a session, each line with only the name and the code. */
function treesOf(story: SessionStory): string[] {
  const { telemetry, spans } = traced()
  story.tell(telemetry)
  return treeOf(spans()).map((line) => {
    const [, indent, name] = /^( *)(\S+)/.exec(line) ?? []
    return `${indent}${name} ${/smtp\.reply\.code=(\d+)/.exec(line)?.[1] ?? '-'}`
  })
}

describe('A command belongs', () => {
  const cases: readonly (readonly [what: string, story: SessionStory, trees: readonly string[]])[] = [
    [
      'a MAIL refused inside a message: to that message',
      new SessionStory().mail().exchange('MAIL', reply(503)).rcpt().data().accepted(1).closed('quit'),
      [
        'smtp.transaction 250',
        '  MAIL 250',
        '  MAIL 503',
        '  RCPT 250',
        '  DATA 354',
        '  END-OF-MESSAGE 250',
        'smtp.session -',
      ],
    ],
    [
      'a MAIL accepted after RSET: to the message that it begins',
      new SessionStory().mail().exchange('RSET', reply(250)).reset().mail().rcpt().data().accepted(1).closed('quit'),
      [
        'smtp.transaction -',
        '  MAIL 250',
        '  RSET 250',
        'smtp.transaction 250',
        '  MAIL 250',
        '  RCPT 250',
        '  DATA 354',
        '  END-OF-MESSAGE 250',
        'smtp.session -',
      ],
    ],
    [
      'a MAIL with an invalid reply code: to the session',
      new SessionStory().exchange('MAIL', reply(0)).closed('quit'),
      ['smtp.session -', '  MAIL 0'],
    ],
    [
      'a RCPT with an invalid reply code: to the message',
      new SessionStory().mail().exchange('RCPT', reply(0)).exchange('RSET', reply(250)).reset().closed('quit'),
      ['smtp.transaction -', '  MAIL 250', '  RCPT 0', '  RSET 250', 'smtp.session -'],
    ],
    [
      'a RCPT outside a message: to the session',
      new SessionStory().exchange('RCPT', reply(503)).closed('quit'),
      ['smtp.session -', '  RCPT 503'],
    ],
  ]
  for (const [what, story, trees] of cases) test(what, () => assert.deepEqual(treesOf(story), trees))

  test('a body that began without MAIL has no span for MAIL', () => {
    const { telemetry, spans } = traced()
    const observe = new SessionStory().exchange('DATA', reply(354)).tell(telemetry)
    observe({ type: 'tx-begin', at: 1_000_010, end: 1_000_010 })
    for (const event of new SessionStory().accepted(1).events) observe(event)
    assert.deepEqual(
      spans().map(({ name }) => name),
      ['smtp.transaction', 'END-OF-MESSAGE'],
    )
  })
})

for (const [what, story, code] of [
  ['a refused AUTH decides', new SessionStory().exchange('AUTH', reply(535)), 535],
  ['a 503 that follows a refused message does not decide', new SessionStory().exchange('DATA', reply(503)), undefined],
  [
    'the refusal of a command that no message needs does not decide',
    new SessionStory().exchange('VRFY', reply(502)),
    undefined,
  ],
] as const) {
  test(`${what} the reply of the session`, () => {
    const { telemetry, spans } = traced()
    story.closed('quit').tell(telemetry)
    assert.equal(spans().find(({ name }) => name === 'smtp.session')?.attributes['smtp.reply.code'], code)
  })
}

describe('A refusal that did not keep the client from sending mail does not decide', () => {
  const session = () => new SessionStory().greeted().exchange('EHLO', reply(250))
  const cases: readonly (readonly [what: string, story: SessionStory, code: number | undefined])[] = [
    [
      'a refused mechanism before an accepted one',
      session().authenticated('CRAM-MD5', reply(504)).authenticated(),
      undefined,
    ],
    [
      'a refused EHLO before HELO',
      new SessionStory().exchange('EHLO', reply(502)).exchange('HELO', reply(250)),
      undefined,
    ],
    ['a refused STARTTLS before a message', session().exchange('STARTTLS', reply(454)).mail().reset(), undefined],
    [
      'but EHLO after a refused AUTH does not change that AUTH decides',
      session().authenticated('PLAIN', reply(535)).exchange('EHLO', reply(250)),
      535,
    ],
    ['nor does any command after a 421', session().exchange('AUTH', reply(421)).mail().reset(), 421],
  ]
  for (const [what, story, code] of cases) {
    test(what, () => {
      const { telemetry, spans } = traced()
      story.closed('quit').tell(telemetry)
      const [span] = spans().filter(({ name }) => name === 'smtp.session')
      assert.equal(span?.attributes['smtp.reply.code'], code)
      assert.equal(span?.attributes['error.type'], code?.toString())
    })
  }
})

describe('A command without a reply', () => {
  /** The span of `command` in a message whose MAIL got no reply and that ended with `end`. */
  const spanOf = (command: CommandName, end: SessionEvent) => {
    const { telemetry, spans } = traced()
    const observe = new SessionStory().tell(telemetry)
    observe({ type: 'tx-begin', at: 1_000_000, end: 1_000_100 })
    observe(end)
    return spans().find(({ name }) => name === command)
  }
  const recipients = { accepted: 1, tempfail: 0, permfail: 0 }
  const end = { at: 1_000_100, size: 10, hasBody: true, recipients }

  test('has the error of its message', () => {
    const unanswered = { command: 'END-OF-MESSAGE', at: 1_000_050 } as const
    const error = 'final_reply_timeout'
    const lost = { type: 'tx-lost', stage: 'final-reply', outcome: 'in_doubt', error, unanswered, ...end } as const
    assert.equal(spanOf('END-OF-MESSAGE', lost)?.attributes['error.type'], error)
    const early = { type: 'tx-lost', stage: 'envelope', outcome: 'tempfail', error: 'idle_timeout', ...end } as const
    assert.equal(spanOf('MAIL', early)?.attributes['error.type'], 'idle_timeout')
  })

  test('is not a failure if the client did not wait', () => {
    const span = spanOf('MAIL', { type: 'tx-reset', outcome: 'aborted', ...end })
    assert.ok(span)
    assert.equal(span.attributes['error.type'], undefined)
    assert.deepEqual(span.endTime, [1000, 100_000_000])
  })
})

test('the last refusal is recorded even above the limit, and not counted as omitted', () => {
  const story = new SessionStory()
  for (let number = 0; number < 40; number += 1) story.exchange('NOOP', reply(250))
  const { telemetry, spans } = traced()
  story.exchange('AUTH', reply(535)).exchange('QUIT', reply(221)).closed('quit').tell(telemetry)
  assert.equal(spans().filter(({ name }) => !name.startsWith('smtp.')).length, 33)
  assert.equal(spans().find(({ name }) => name === 'smtp.session')?.attributes['smtp.exchanges.omitted'], 9)
})

/** Log lines, as objects. */
function logged(losses = uncounted) {
  const lines: Record<string, unknown>[] = []
  const { logger } = createLogger({
    level: 'info',
    losses,
    destination: { write: (line) => lines.push(JSON.parse(line)) },
  })
  return { log: new Log(logger, losses), lines }
}

test('if a span throws, the line is still written, and the failure is reported', () => {
  const broken = () => {
    throw new Error('a bug in the traces')
  }
  const { log, lines } = logged()
  const traces = { open: () => ({ message: broken, close: broken }), dial() {} } as unknown as Traces
  let failures = 0
  const records = createRecords({ log, traces, recordAddresses: 'none' })
  const observerFailed = () => {
    failures += 1
  }
  oneMail().tell(combine({ ...records, observerFailed }))
  assert.deepEqual(
    lines.map(({ msg }) => msg),
    ['transaction', 'session'],
  )
  assert.equal(failures, 1)
})

test('flush reports suppressed lines without waiting for the end of the second', () => {
  const counted: [Signal, Loss, number | undefined][] = []
  const losses = {
    ...uncounted,
    count: (...loss: [Signal, Loss, number?]) => void counted.push([loss[0], loss[1], loss[2]]),
  }
  const { log, lines } = logged(losses)
  const telemetry = createRecords({ log, recordAddresses: 'none' })
  for (let number = 0; number < 25; number += 1) new SessionStory().closed('not_allowed').tell(telemetry)
  log.flush()
  log.flush()
  assert.deepEqual(counted, [['logs', 'rate_limited', 15]])
  assert.deepEqual(
    lines.slice(10).map(({ msg, suppressed }) => [msg, suppressed]),
    [['lines suppressed', 15]],
  )
})

describe('Spans and log lines', () => {
  const withBody = (headers: MessageHeaders = {}) =>
    new SessionStory().dials().greeted().mail().rcpt().data().headers(headers)

  test('of a message have the same attributes, and the line has the ids of the span', () => {
    const { telemetry, spans, lines } = traced()
    withBody({ sandbox: true }).refused('END-OF-MESSAGE', reply(552), 70).closed('quit').tell(telemetry)
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

  test('only the span of a message has its tags', () => {
    const { telemetry, spans, lines } = traced()
    withBody({ tags: ['welcome', 'eu'] })
      .accepted(1)
      .tell(telemetry)
    assert.deepEqual(only(spans(), 'smtp.transaction').attributes['ahasend.tags'], ['welcome', 'eu'])
    assert.ok(!JSON.stringify(lines()).includes('welcome'))
  })

  test('of a session on a preconnected connection have its upstream and say that it was preconnected', () => {
    const ahead = dial({ serverAddress: 'second.example', serverPort: 2525, peerAddress: '198.51.100.9' })
    const all = traced()
    const observe = new SessionStory().tell(all.telemetry)
    observe({ type: 'handover', at: 1_000_000, dial: ahead, preconnected: true })
    for (const event of withBody().accepted(1).closed('quit').events.slice(1)) observe(event)
    const { attributes } = only(all.spans(), 'smtp.session')
    assert.equal(attributes['smtp.dial.ahead'], true)
    assert.equal(attributes['server.address'], 'second.example')
    assert.equal(attributes['network.peer.address'], '198.51.100.9')
    assert.equal(only(all.spans(), 'smtp.transaction').attributes['server.port'], 2525)
    assert.equal(named(all.spans(), 'smtp.dial').length, 0)
  })
})

test('a session that gets the 421 of its first upstream names that upstream and its dial', () => {
  const refused = dial({ error: 'greeting_refused', replyCode: 421, serverPort: 2525, peerAddress: '198.51.100.9' })
  const { telemetry, lines } = traced()
  const observe = new SessionStory().tell(telemetry)
  observe(refused)
  observe(dial({ error: 'connect_refused', serverAddress: 'second.example' }))
  observe({ type: 'handover', at: 1_000_000, dial: refused, preconnected: false })
  for (const event of new SessionStory().closed('upstream_421').events) observe(event)
  const line = lines().find(({ msg }) => msg === 'session')!
  assert.deepEqual([line['server.address'], line['server.port']], ['send.example', 2525])
  assert.equal(line['smtp.dial.ahead'], undefined)
  assert.equal((line.dial as typeof line)['error.type'], 'greeting_refused')
})
