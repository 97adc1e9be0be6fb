/** The lines of the live tail, from stories of sessions. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import pino from 'pino'
import { uncounted } from '../../../otel/export/losses.ts'
import { Log } from '../../../otel/records/log.ts'
import { createRecords } from '../../../otel/records/recorder.ts'
import { commandLine, messageLine, sessionLine, type TailLine } from '../../../status/tail/line.ts'
import { reply, SessionStory } from '../../support/telemetry/session-events.ts'

const SPAN = { traceId: '4bf92f3577b34da6a3ce929d0e0e4736', spanId: '00f067aa0ba902b7', traceFlags: 1 }
const log = new Log(pino({ level: 'silent' }), uncounted)

/** The lines of one session, without their times. */
function linesOf(story: SessionStory, traced = true): Omit<TailLine, 'time'>[] {
  const lines: (TailLine | undefined)[] = []
  const records = createRecords({
    log,
    also: [
      {
        message: (record) => lines.push(messageLine(record, traced ? SPAN : undefined)),
        session: (record) => lines.push(sessionLine(record, traced ? SPAN : undefined)),
      },
    ],
    recordAddresses: 'none',
  })
  const observe = records.open(story.opening)
  for (const event of story.events) {
    lines.push(commandLine(story.opening, event))
    observe(event)
  }
  return lines.flatMap((line) => {
    if (!line) return []
    const { time, ...rest } = line
    assert.match(time, /^1970-01-01T00:1\d:\d\d\.\d{3}Z$/)
    return [rest]
  })
}

const LOAD = reply(421, { enhancedCode: '4.3.2', cause: 'load_shedding' })
const whose = { app: 'billing', sessionId: 'session-1' }
const none = { accepted: 0, tempfail: 0, permfail: 0 }

const LINES: readonly [what: string, story: SessionStory, line: Omit<TailLine, 'time'>][] = [
  [
    'the greeting is the reply to CONNECT',
    new SessionStory().greeted(),
    { ...whose, subject: 'CONNECT', code: 220, cause: 'none', origin: 'upstream', ahasendMs: 120, totalMs: 120 },
  ],
  [
    'a refused command has its enhanced code and its cause',
    new SessionStory().exchange('AUTH', LOAD, 15),
    {
      ...whose,
      subject: 'AUTH',
      code: 421,
      enhancedCode: '4.3.2',
      cause: 'load_shedding',
      origin: 'upstream',
      ahasendMs: 15,
      totalMs: 15,
    },
  ],
  [
    'for a reply of the proxy, no time is spent on AhaSend',
    new SessionStory().exchange('MAIL', reply(421, { cause: 'draining', origin: 'proxy' }), 5),
    { ...whose, subject: 'MAIL', code: 421, cause: 'draining', origin: 'proxy', ahasendMs: 0, totalMs: 5 },
  ],
  [
    'a message has its outcome, size, recipients, trace, and the sum of the times in which it waited for AhaSend',
    new SessionStory().mail().rcpt().wait(100).data().wait(1000).accepted(2000),
    {
      ...whose,
      subject: 'message',
      code: 250,
      cause: 'none',
      origin: 'upstream',
      outcome: 'accepted',
      size: 2000,
      recipients: { ...none, accepted: 1 },
      ahasendMs: 60,
      totalMs: 1160,
      traceId: SPAN.traceId,
    },
  ],
  [
    'a message without a reply has the reason',
    new SessionStory().mail().rcpt().data().wait(7).inDoubt('upstream_lost', 10),
    {
      ...whose,
      subject: 'message',
      cause: 'upstream_lost',
      outcome: 'in_doubt',
      size: 10,
      recipients: { ...none, accepted: 1 },
      ahasendMs: 30,
      totalMs: 37,
      traceId: SPAN.traceId,
    },
  ],
  [
    'a session whose TLS failed has no command, and the reason',
    new SessionStory().wait(9).tlsFailed('app_tls_certificate_rejected').closed('tls_failed'),
    {
      ...whose,
      subject: 'session',
      cause: 'app_tls_certificate_rejected',
      ahasendMs: 0,
      totalMs: 9,
      traceId: SPAN.traceId,
    },
  ],
]

for (const [what, story, line] of LINES) test(what, () => assert.deepEqual(linesOf(story).at(-1), line))

test('pipelined commands wait together: their time counts once', () => {
  const story = new SessionStory().mail().rcpt(reply(250), 40)
  const begin = story.events.findLast(({ type }) => type === 'tx-rcpt') as { at: number; end: number }
  story.events.push({ type: 'tx-rcpt', verdict: 'accepted', reply: reply(250), at: begin.at + 10, end: begin.end + 5 })
  assert.equal(linesOf(story.wait(5).reset()).at(-1)?.ahasendMs, 55)
})

test('a session that was refused by a reply, that had messages, or that did not fail has no line of its own', () => {
  const stories = [
    new SessionStory().greeted(LOAD).closed('upstream_421'),
    new SessionStory().greeted().mail().rcpt().data().inDoubt('upstream_lost', 5).closed('upstream_closed'),
    new SessionStory().greeted().closed('quit'),
  ]
  for (const story of stories) assert.ok(linesOf(story).every(({ subject }) => subject !== 'session'))
})

test('without a trace there is only the session', () => {
  const line = linesOf(new SessionStory().mail().reset(), false).at(-1)
  assert.equal(line?.traceId, undefined)
  assert.equal(line?.sessionId, 'session-1')
})
