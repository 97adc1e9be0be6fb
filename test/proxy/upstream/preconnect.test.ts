/** Connections dialled ahead of need: how many, for how long, and that each is given away once. */
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

/** A pool whose dials end when the test says so. */
class Pool {
  readonly warm: Preconnections
  /** Dials that have not ended. */
  readonly open: ((result: DialResult) => void)[] = []
  #dials = 0

  constructor(max: number) {
    this.warm = new Preconnections(max, () => {
      this.#dials += 1
      return new Promise((settle) => this.open.push(settle))
    })
  }

  /** How often was dialled. */
  get dials(): number {
    return this.#dials
  }

  /** So many sessions begin, one millisecond apart, from `at` on; returns the last one's connection. */
  arrive(count: number, at: number): DialledUpstream | undefined {
    let connection: DialledUpstream | undefined
    for (let number = 0; number < count; number += 1) connection = this.warm.take(at + number)?.connection
    return connection
  }

  /** The oldest dial ends, having taken `ms`, with this connection or with none. */
  async end(connection: DialledUpstream | undefined, at: number, ms = 10): Promise<void> {
    this.open.shift()!({ dial: dialled(at - ms, ms), ...(connection && { connection }) })
    await new Promise((turn) => setImmediate(turn))
  }
}

describe('Connections dialled ahead', () => {
  test('are not dialled when PROXY_WARM_CONNECTIONS is 0', () => {
    const pool = new Pool(0)
    assert.equal(pool.arrive(100, 0), undefined)
    pool.warm.tick(50)
    assert.equal(pool.dials, 0)
  })

  test('are dialled from the fifth session in ten seconds on', () => {
    const pool = new Pool(8)
    pool.arrive(4, 0)
    assert.equal(pool.dials, 0)
    pool.arrive(1, 9 * SECOND)
    assert.equal(pool.dials, 1)
  })

  test('are not dialled when sessions are rare', () => {
    const pool = new Pool(8)
    for (let at = 0; at < 60 * SECOND; at += 2.5 * SECOND) {
      pool.warm.take(at)
      pool.warm.tick(at + 1)
    }
    assert.equal(pool.dials, 0)
  })

  test('are as many as sessions arrive while two dials last, and never more than allowed', async () => {
    const pool = new Pool(4)
    pool.arrive(100, 0) // 10 sessions a second
    assert.equal(pool.dials, 1, 'how long a dial lasts is not known yet')
    await pool.end(connectionWith('220 a\r\n'), 200, 100)
    pool.warm.tick(200)
    assert.equal(pool.dials, 3, 'one, and two for 200 ms')
    await pool.end(connectionWith('220 b\r\n'), 10 * SECOND - 1, 5 * SECOND)
    pool.warm.tick(SECOND)
    assert.equal(pool.dials, 4, 'four at most: two wait, two are dialled')
  })

  test('are given away once, the freshest first', async () => {
    const pool = new Pool(3)
    const connections = ['220 a\r\n', '220 b\r\n', '220 c\r\n'].map((greeting) => connectionWith(greeting))
    pool.arrive(100, 0)
    for (const [index, connection] of connections.entries()) {
      await pool.end(connection, 200 + index, 2 * SECOND)
      pool.warm.tick(200 + index)
    }
    assert.equal(pool.warm.size, 3)
    assert.deepEqual(
      [0, 1, 2].map(() => pool.warm.take(300)?.connection.greeting.bytes.toString()),
      ['220 c\r\n', '220 b\r\n', '220 a\r\n'],
    )
    assert.equal(pool.warm.take(300), undefined)
  })

  test('come with their own dial, so that a session can say how its connection was reached', async () => {
    const pool = new Pool(2)
    pool.arrive(50, 0)
    await pool.end(connectionWith('220 a\r\n'), 1000, 2 * SECOND)
    pool.warm.tick(1000)
    await pool.end(connectionWith('220 b\r\n'), 2000, 700)
    assert.deepEqual(
      [0, 1].map(() => pool.warm.take(2001)?.dial),
      [dialled(1300, 700), dialled(-1000, 2 * SECOND)],
    )
  })

  test('are dialled anew as they are taken', async () => {
    const pool = new Pool(1)
    pool.arrive(5, 0)
    await pool.end(connectionWith('220 a\r\n'), 10)
    assert.ok(pool.warm.take(20))
    assert.equal(pool.dials, 2)
  })

  const SPOILS: readonly (readonly [string, (socket: net.Socket) => void])[] = [
    ['says something', (socket) => socket.push('421 4.3.2 idle too long\r\n')],
    ['closes', (socket) => socket.push(null)],
    ['is lost', (socket) => socket.destroy()],
  ]
  for (const [what, spoil] of SPOILS) {
    test(`are thrown away when the upstream ${what}`, async () => {
      const pool = new Pool(1)
      const connection = connectionWith('220 a\r\n')
      pool.arrive(5, 0)
      await pool.end(connection, 10)
      spoil(connection.socket)
      await new Promise((turn) => setImmediate(turn))
      assert.equal(pool.warm.size, 0)
      assert.equal(connection.socket.destroyed, true)
      assert.equal(pool.warm.take(20), undefined)
    })
  }

  test('that were given away are nobody else’s to judge', async () => {
    const pool = new Pool(1)
    const connection = connectionWith('220 a\r\n')
    pool.arrive(5, 0)
    await pool.end(connection, 10)
    assert.equal(pool.warm.take(20)?.connection, connection)
    connection.socket.push('250 ok\r\n')
    await new Promise((turn) => setImmediate(turn))
    assert.equal(connection.socket.destroyed, false)
    assert.equal(connection.socket.read()?.toString(), '250 ok\r\n', 'what came is still there for its session')
    connection.socket.destroy()
  })

  test('are closed after twenty seconds: AhaSend closes a silent connection after sixty', async () => {
    const pool = new Pool(1)
    const connection = connectionWith('220 a\r\n')
    pool.arrive(5, 0)
    await pool.end(connection, 10)
    pool.warm.tick(20 * SECOND)
    assert.equal(connection.socket.destroyed, false)
    pool.warm.tick(20 * SECOND + 11)
    assert.equal(connection.socket.destroyed, true)
    assert.equal(pool.warm.take(20 * SECOND + 12), undefined)
  })

  test('are no more dialled ten seconds after the last session', async () => {
    const pool = new Pool(1)
    pool.arrive(5, 0)
    await pool.end(undefined, 10)
    pool.warm.tick(60 * SECOND)
    assert.equal(pool.dials, 1)
  })

  const FAILURES: readonly (readonly [string, () => DialledUpstream | undefined])[] = [
    ['failed', () => undefined],
    ['ended in a refusal', () => connectionWith('421 4.3.2 load shedding\r\n', true)],
  ]
  for (const [what, make] of FAILURES) {
    test(`are not dialled for thirty seconds after a dial that ${what}`, async () => {
      const pool = new Pool(1)
      const connection = make()
      pool.arrive(5, 0)
      await pool.end(connection, 10)
      assert.equal(connection?.socket.destroyed ?? true, true)
      for (let at = 0; at < 29 * SECOND; at += 100) assert.equal(pool.warm.take(at), undefined)
      assert.equal(pool.dials, 1)
      pool.arrive(5, 31 * SECOND)
      assert.equal(pool.dials, 2)
    })
  }

  test('are not dialled for thirty seconds after the end of a dial that took long to fail', async () => {
    const pool = new Pool(1)
    pool.arrive(5, 0)
    await pool.end(undefined, 25 * SECOND, 25 * SECOND)
    for (let at = 25 * SECOND; at < 55 * SECOND; at += 100) assert.equal(pool.warm.take(at), undefined)
    assert.equal(pool.dials, 1)
    pool.arrive(5, 55 * SECOND)
    assert.equal(pool.dials, 2)
  })

  test('are shared out among event loops without a loss to rounding', () => {
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

  test('are closed at the end, those too that are only being dialled', async () => {
    const pool = new Pool(2)
    const [waiting, late] = [connectionWith('220 a\r\n'), connectionWith('220 b\r\n')]
    pool.arrive(50, 0)
    await pool.end(waiting, 100, 2 * SECOND)
    pool.warm.tick(100)
    pool.warm.close()
    await pool.end(late, 200)
    assert.deepEqual([waiting.socket.destroyed, late.socket.destroyed, pool.warm.size], [true, true, 0])
    pool.arrive(50, 300)
    assert.equal(pool.dials, 2)
  })
})
