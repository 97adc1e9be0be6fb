/** Observation cannot hurt: when the dialogue throws, the failure is counted once and the session becomes opaque. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { SessionEvent } from '../../../proxy/events/session-event.ts'
import { Observation } from '../../../proxy/session/observation.ts'

const OK = { bytes: Buffer.from('250 ok\r\n'), code: 250 }
const GO = { bytes: Buffer.from('354 go\r\n'), code: 354 }

/** Bytes in which a search throws, as a bug in a scanner would. */
function broken(text: string): Buffer {
  return Object.assign(Buffer.from(text), {
    indexOf() {
      throw new Error('a bug in the dialogue')
    },
  })
}

interface Watched {
  readonly observation: Observation
  readonly events: SessionEvent[]
  readonly failures: unknown[]
}

function watched(): Watched {
  const [events, failures]: [SessionEvent[], unknown[]] = [[], []]
  const observation = new Observation(
    (event) => events.push(event),
    'none',
    (error) => failures.push(error),
  )
  return { observation, events, failures }
}

/** The session is opaque for this reason, and one failure was counted. */
function isOpaque({ observation, events, failures }: Watched): void {
  assert.equal(failures.length, 1)
  assert.equal(observation.position.opaque, true)
  const opaque = events.filter(({ type }) => type === 'session-opaque')
  assert.deepEqual(opaque, [{ type: 'session-opaque', at: 7, reason: 'observer_failure' }])
}

describe('A dialogue that throws', () => {
  test('at client bytes makes the session opaque', () => {
    const session = watched()
    session.observation.fromClient(broken('NOOP\r\n'), 7)
    isOpaque(session)
    session.observation.fromClient(broken('NOOP\r\n'), 8)
    isOpaque(session)
  })

  test('in a body makes the session opaque, and all bytes count as body', () => {
    const session = watched()
    session.observation.fromClient(Buffer.from('DATA\r\n'), 1)
    session.observation.fromUpstream(GO, 2)
    assert.equal(session.observation.position.inBody, true)
    const body = broken('a line\r\n.\r\nNOOP\r\n')
    assert.equal(session.observation.bodyFromClient(body, 7), body.length)
    isOpaque(session)
  })

  test('at a reply makes the session opaque, and the reply answers OTHER', () => {
    const session = watched()
    session.observation.fromClient(Buffer.from('EHLO app\r\n'), 1)
    const reply = { code: 250, bytes: undefined as never }
    assert.equal(session.observation.fromUpstream(reply, 7), 'OTHER')
    isOpaque(session)
    assert.equal(session.observation.fromUpstream(OK, 8), 'OTHER')
    isOpaque(session)
  })
})

test('nothing is reported after the last event', () => {
  const { observation, events } = watched()
  observation.report({ type: 'early-talk', at: 1 })
  const last = {
    type: 'session-close',
    at: 2,
    by: 'client',
    reason: 'quit',
    transmit: 0,
    receive: 0,
    messages: 0,
  } as const
  observation.end(last)
  observation.report({ type: 'early-talk', at: 3 })
  observation.fromClient(Buffer.from('NOOP\r\n'), 4)
  observation.fromUpstream(OK, 5)
  assert.deepEqual(events, [{ type: 'early-talk', at: 1 }, last])
})
