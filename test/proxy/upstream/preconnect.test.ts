/** Preconnected connections: how many there are, for how long, and that each is used once. */
import assert from 'node:assert/strict'
import net from 'node:net'
import { describe, test } from 'node:test'
import type { Dial } from '../../../proxy/events/dial.ts'
import type { DialledUpstream, DialResult } from '../../../proxy/upstream/dialer.ts'
import { Preconnections, shareOf } from '../../../proxy/upstream/preconnect.ts'

const SECOND = 1000

function connectionWith(greeting: string, refused = false): DialledUpstream {
  const socket = new net.Socket()
  const reply = { bytes: Buffer.from(greeting), code: Number(greeting.slice(0, 3)) }
  return { socket, tcp: socket, greeting: reply, server: { host: 'send.example', port: 587, tls: true }, refused }
}

function dialled(at: number, ms: number): Dial {
  return {
    type: 'dial',
    at,
    end: at + ms,
    serverAddress: 'send.example',
    serverPort: 587,
    phases: { total: ms },
    resumed: false,
  }
}

/** Preconnections whose dials the test ends. */
class Rig {
  readonly ready: Preconnections
  /** Dials that have not ended. */
  readonly open: ((result: DialResult) => void)[] = []
  #dials = 0

  constructor(max: number) {
    this.ready = new Preconnections(max, () => {
      this.#dials += 1
      return new Promise((settle) => this.open.push(settle))
    })
  }

  /** The number of dials. */
  get dials(): number {
    return this.#dials
  }

  /** Begins this number of sessions, one millisecond apart, from `at` on. Returns the last one's connection. */
  arrive(count: number, at: number): DialledUpstream | undefined {
    let connection: DialledUpstream | undefined
    for (let number = 0; number < count; number += 1) connection = this.ready.take(at + number)?.connection
    return connection
  }

  /** Ends the oldest dial, which took `ms`, with this connection or with none. */
  async end(connection: DialledUpstream | undefined, at: number, ms = 10): Promise<void> {
    this.open.shift()!({ dial: dialled(at - ms, ms), ...(connection && { connection }) })
    await new Promise((turn) => setImmediate(turn))
  }
}

describe('Preconnected connections', () => {
  test('are not dialled if PROXY_WARM_CONNECTIONS is 0', () => {
    const rig = new Rig(0)
    assert.equal(rig.arrive(100, 0), undefined)
    rig.ready.tick(50)
    assert.equal(rig.dials, 0)
  })

  test('are dialled from the fifth session within ten seconds on', () => {
    const rig = new Rig(8)
    rig.arrive(4, 0)
    assert.equal(rig.dials, 0)
    rig.arrive(1, 9 * SECOND)
    assert.equal(rig.dials, 1)
  })

  test('are not dialled if sessions are rare', () => {
    const rig = new Rig(8)
    for (let at = 0; at < 60 * SECOND; at += 2.5 * SECOND) {
      rig.ready.take(at)
      rig.ready.tick(at + 1)
    }
    assert.equal(rig.dials, 0)
  })

  test('are as many as sessions that arrive during two dials, up to the maximum', async () => {
    const rig = new Rig(4)
    rig.arrive(100, 0) // 10 sessions a second
    assert.equal(rig.dials, 1, 'how long a dial lasts is not known yet')
    await rig.end(connectionWith('220 a\r\n'), 200, 100)
    rig.ready.tick(200)
    assert.equal(rig.dials, 3, 'one, and two for 200 ms')
    await rig.end(connectionWith('220 b\r\n'), 10 * SECOND - 1, 5 * SECOND)
    rig.ready.tick(SECOND)
    assert.equal(rig.dials, 4, 'four at most: two wait, two are dialled')
  })

  test('are given to one session each, the newest first', async () => {
    const rig = new Rig(3)
    const connections = ['220 a\r\n', '220 b\r\n', '220 c\r\n'].map((greeting) => connectionWith(greeting))
    rig.arrive(100, 0)
    for (const [index, connection] of connections.entries()) {
      await rig.end(connection, 200 + index, 2 * SECOND)
      rig.ready.tick(200 + index)
    }
    assert.equal(rig.ready.size, 3)
    assert.deepEqual(
      [0, 1, 2].map(() => rig.ready.take(300)?.connection.greeting.bytes.toString()),
      ['220 c\r\n', '220 b\r\n', '220 a\r\n'],
    )
    assert.equal(rig.ready.take(300), undefined)
  })

  test('come with their own dial, so that the session can report it', async () => {
    const rig = new Rig(2)
    rig.arrive(50, 0)
    await rig.end(connectionWith('220 a\r\n'), 1000, 2 * SECOND)
    rig.ready.tick(1000)
    await rig.end(connectionWith('220 b\r\n'), 2000, 700)
    assert.deepEqual(
      [0, 1].map(() => rig.ready.take(2001)?.dial),
      [dialled(1300, 700), dialled(-1000, 2 * SECOND)],
    )
  })

  test('are replaced when they are taken', async () => {
    const rig = new Rig(1)
    rig.arrive(5, 0)
    await rig.end(connectionWith('220 a\r\n'), 10)
    assert.ok(rig.ready.take(20))
    assert.equal(rig.dials, 2)
  })

  const EVENTS: readonly (readonly [string, (socket: net.Socket) => void])[] = [
    ['sends a reply', (socket) => socket.push('421 4.3.2 idle too long\r\n')],
    ['closes', (socket) => socket.push(null)],
    ['is lost', (socket) => socket.destroy()],
  ]
  for (const [what, act] of EVENTS) {
    test(`are discarded when the upstream ${what}`, async () => {
      const rig = new Rig(1)
      const connection = connectionWith('220 a\r\n')
      rig.arrive(5, 0)
      await rig.end(connection, 10)
      act(connection.socket)
      await new Promise((turn) => setImmediate(turn))
      assert.equal(rig.ready.size, 0)
      assert.equal(connection.socket.destroyed, true)
      assert.equal(rig.ready.take(20), undefined)
    })
  }

  test('are not discarded after a session took them', async () => {
    const rig = new Rig(1)
    const connection = connectionWith('220 a\r\n')
    rig.arrive(5, 0)
    await rig.end(connection, 10)
    assert.equal(rig.ready.take(20)?.connection, connection)
    connection.socket.push('250 ok\r\n')
    await new Promise((turn) => setImmediate(turn))
    assert.equal(connection.socket.destroyed, false)
    assert.equal(connection.socket.read()?.toString(), '250 ok\r\n', 'the bytes are still there for its session')
    connection.socket.destroy()
  })

  test('are closed after twenty seconds: AhaSend closes an idle connection after sixty', async () => {
    const rig = new Rig(1)
    const connection = connectionWith('220 a\r\n')
    rig.arrive(5, 0)
    await rig.end(connection, 10)
    rig.ready.tick(20 * SECOND)
    assert.equal(connection.socket.destroyed, false)
    rig.ready.tick(20 * SECOND + 11)
    assert.equal(connection.socket.destroyed, true)
    assert.equal(rig.ready.take(20 * SECOND + 12), undefined)
  })

  test('are no longer dialled ten seconds after the last session', async () => {
    const rig = new Rig(1)
    rig.arrive(5, 0)
    await rig.end(undefined, 10)
    rig.ready.tick(60 * SECOND)
    assert.equal(rig.dials, 1)
  })

  const FAILURES: readonly (readonly [string, () => DialledUpstream | undefined])[] = [
    ['failed', () => undefined],
    ['ended in a refusal', () => connectionWith('421 4.3.2 load shedding\r\n', true)],
  ]
  for (const [what, make] of FAILURES) {
    test(`are not dialled for thirty seconds after a dial that ${what}`, async () => {
      const rig = new Rig(1)
      const connection = make()
      rig.arrive(5, 0)
      await rig.end(connection, 10)
      assert.equal(connection?.socket.destroyed ?? true, true)
      for (let at = 0; at < 29 * SECOND; at += 100) assert.equal(rig.ready.take(at), undefined)
      assert.equal(rig.dials, 1)
      rig.arrive(5, 31 * SECOND)
      assert.equal(rig.dials, 2)
    })
  }

  test('are not dialled for thirty seconds after the end of a dial that failed slowly', async () => {
    const rig = new Rig(1)
    rig.arrive(5, 0)
    await rig.end(undefined, 25 * SECOND, 25 * SECOND)
    for (let at = 25 * SECOND; at < 55 * SECOND; at += 100) assert.equal(rig.ready.take(at), undefined)
    assert.equal(rig.dials, 1)
    rig.arrive(5, 55 * SECOND)
    assert.equal(rig.dials, 2)
  })

  test('are shared among event loops without rounding losses', () => {
    for (let loops = 1; loops <= 64; loops += 1) {
      for (const max of [0, 1, 7, 8, 9, 63, 64, 65, 1000]) {
        const shares = Array.from({ length: loops }, (_, index) => shareOf(max, index, loops))
        assert.equal(
          shares.reduce((sum, share) => sum + share, 0),
          max,
        )
        assert.ok(Math.max(...shares) - Math.min(...shares) <= 1, `${max} in ${loops}: ${shares}`)
      }
    }
  })

  test('are closed by close, including those that are still being dialled', async () => {
    const rig = new Rig(2)
    const [waiting, late] = [connectionWith('220 a\r\n'), connectionWith('220 b\r\n')]
    rig.arrive(50, 0)
    await rig.end(waiting, 100, 2 * SECOND)
    rig.ready.tick(100)
    rig.ready.close()
    await rig.end(late, 200)
    assert.deepEqual([waiting.socket.destroyed, late.socket.destroyed, rig.ready.size], [true, true, 0])
    rig.arrive(50, 300)
    assert.equal(rig.dials, 2)
  })
})
