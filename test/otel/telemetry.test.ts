import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import type { SessionEvent } from '../../proxy/events/session-event.ts'
import { readScripts } from '../support/dialogues/dlg.ts'
import { DIALOGUES, readGolden } from '../support/dialogues/goldens.ts'
import { observe, segmentsOf } from '../support/dialogues/pure-rig.ts'
import { playOn } from '../support/dialogues/socket-rig.ts'
import { metricLinesOf, spanLinesOf } from '../support/dialogues/telemetry-rig.ts'
import { Stage } from '../support/in-process/stage.ts'

describe('A session through the real proxy changes exactly these series and creates exactly these spans', () => {
  let stage: Stage

  before(async () => {
    stage = await Stage.open('plain')
  })

  after(async () => await stage.close())

  for (const script of readScripts(DIALOGUES, 'telemetry')) {
    test(`${script.name}: ${script.behaviour}`, async () => {
      const played = await playOn(stage, script)
      assert.deepEqual(await metricLinesOf([played]), readGolden(script.name, 'metrics'))
      assert.deepEqual(spanLinesOf([played]), readGolden(script.name, 'spans'))
    })
  }
})

describe('Over all dialogues, the metrics match the events', () => {
  const sessions = readScripts(DIALOGUES, 'pure').map((script) => asSession(observe(segmentsOf(script, 'lines'))))
  const events = sessions.flat()
  let lines: readonly string[]

  before(async () => {
    lines = await metricLinesOf(sessions)
  })

  /** The sum of a counter's series, or of those whose labels contain `labels`. */
  const sum = (name: string, labels = ''): number =>
    lines
      .filter((line) => line.startsWith(`${name}{`) && line.includes(labels))
      .reduce((total, line) => total + Number(line.split(' ').at(-1)), 0)
  const count = (wanted: (event: SessionEvent) => boolean): number => events.filter(wanted).length

  test('every reply is counted once', () => {
    const replies = count((event) => event.type === 'exchange' || event.type === 'greeting')
    assert.equal(sum('smtp_proxy_replies_total'), replies)
    const timed = sessions.flatMap(answersIn).length
    assert.equal(sum('smtp_proxy_command_duration_seconds_count'), timed, 'replies to known commands have a duration')
  })

  test('every message ends once and is counted under its outcome', () => {
    const ended = (event: SessionEvent) => 'outcome' in event
    assert.equal(sum('smtp_proxy_transactions_total'), count(ended))
    assert.equal(
      count((event) => event.type === 'tx-begin'),
      count(ended),
      'every message that began has ended',
    )
    for (const outcome of ['accepted', 'tempfail', 'permfail', 'aborted', 'in_doubt'] as const) {
      const expected = count((event) => 'outcome' in event && event.outcome === outcome)
      assert.equal(sum('smtp_proxy_transactions_total', `outcome="${outcome}"`), expected, outcome)
      assert.ok(expected > 0, `no dialogue has a message with the outcome ${outcome}`)
    }
  })

  test('every recipient with a reply is counted under its verdict', () => {
    for (const verdict of ['accepted', 'tempfail', 'permfail'] as const) {
      const expected = count((event) => event.type === 'tx-rcpt' && event.verdict === verdict)
      assert.equal(sum('smtp_proxy_recipients_total', `verdict="${verdict}"`), expected, verdict)
    }
  })

  test('the sizes include the bytes of every message whose body began', () => {
    const sizes = events.flatMap((event) => ('outcome' in event && event.hasBody ? [event.size] : []))
    assert.equal(sum('smtp_proxy_message_size_bytes_count'), sizes.length)
    assert.equal(
      sum('smtp_proxy_message_size_bytes_sum'),
      sizes.reduce((total, size) => total + size, 0),
    )
  })

  test('every opaque session is counted', () => {
    const opaque = count((event) => event.type === 'session-opaque')
    assert.equal(sum('smtp_proxy_session_opaque_total'), opaque)
    assert.ok(opaque > 0)
  })
})

/** The replies to known commands: neither unsolicited replies nor replies in an opaque session. */
function answersIn(session: readonly SessionEvent[]): readonly SessionEvent[] {
  const lost = session.findIndex((event) => event.type === 'session-opaque')
  return (lost < 0 ? session : session.slice(0, lost)).filter(
    (event) => event.type === 'greeting' || (event.type === 'exchange' && event.command !== 'UNSOLICITED'),
  )
}

/** Adds the first and the last event of a session to the events of a dialogue. */
function asSession(events: readonly SessionEvent[]): SessionEvent[] {
  const open = {
    type: 'session-open',
    at: 0,
    sessionId: 'session',
    clientName: 'other',
    clientAddress: '192.0.2.1',
    clientPort: 40_000,
    listener: 'smtp://127.0.0.1:2525',
    serverAddress: '127.0.0.1',
  } as const
  const at = Math.max(0, ...events.map((event) => event.at))
  const close = {
    type: 'session-close',
    at,
    by: 'client',
    reason: 'quit',
    transmit: 0,
    receive: 0,
    messages: 0,
  } as const
  return [open, ...events, close]
}
