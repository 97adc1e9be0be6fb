/** Which TLS session a dial gets to resume. That dials resume sessions: resumption.test.ts. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MAX_SESSIONS, TlsSessions } from '../../../proxy/upstream/tls-sessions.ts'

const DAY_MS = 24 * 60 * 60 * 1000
const A = 'a.example:587'

class Rig {
  time = 0
  readonly sessions = new TlsSessions(() => this.time)

  keep(name: string, upstream = A, notAfter = Number.MAX_SAFE_INTEGER): void {
    this.sessions.keep(upstream, { session: Buffer.from(name), verified: { notAfter, at: this.time } })
  }

  take(upstream = A): string | undefined {
    return this.sessions.take(upstream)?.session.toString()
  }
}

test('each dial gets another session, the newest first, and the last one is kept for all later dials', () => {
  const rig = new Rig()
  for (const name of ['1', '2', '3']) rig.keep(name)
  assert.deepEqual([rig.take(), rig.take(), rig.take(), rig.take()], ['3', '2', '1', '1'])
  rig.keep('4')
  assert.deepEqual([rig.take(), rig.take()], ['4', '1'])
})

test('upstreams have their own sessions', () => {
  const rig = new Rig()
  rig.keep('1')
  assert.equal(rig.take('b.example:587'), undefined)
})

test(`of each upstream, the newest ${MAX_SESSIONS} are kept`, () => {
  const rig = new Rig()
  for (let number = 0; number < MAX_SESSIONS + 5; number += 1) rig.keep(String(number))
  const taken = Array.from({ length: MAX_SESSIONS + 1 }, () => rig.take())
  assert.deepEqual(taken.slice(-2), ['5', '5'])
  assert.equal(new Set(taken).size, MAX_SESSIONS)
})

test('none is resumed a day after its certificate was verified, or after the certificate expired', () => {
  const rig = new Rig()
  rig.keep('old')
  rig.time = DAY_MS - 1
  rig.keep('new')
  rig.keep('expired', A, Math.floor(Date.now() / 1000) - 1)
  rig.time = DAY_MS
  assert.deepEqual([rig.take(), rig.take()], ['new', 'new'])
  rig.time = 2 * DAY_MS
  assert.equal(rig.take(), undefined)
})
