/** Preconnected connections: how many there are, for how long, and that each is used once. */
import assert from 'node:assert/strict'
import net from 'node:net'
import { describe, test } from 'node:test'
import type { Dial, Unused } from '../../../proxy/events/dial.ts'
import type { DialledUpstream, DialResult } from '../../../proxy/upstream/dialer.ts'
import { LastSession } from '../../../proxy/upstream/last-session.ts'
import { Preconnections, shareOf } from '../../../proxy/upstream/preconnect.ts'

const SECOND = 1000
const MINUTE = 60 * SECOND

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
  /** What was reported about unused connections. */
  readonly unused: Unused[] = []
  #dials = 0

  constructor(max: number, lastSession = new LastSession()) {
    const dial = () => {
      this.#dials += 1
      return new Promise<DialResult>((settle) => this.open.push(settle))
    }
    this.ready = new Preconnections({ max, dial, unused: (event) => this.unused.push(event), lastSession })
  }

  /** The number of dials. */
  get dials(): number {
    return this.#dials
  }

  /** Begins this number of sessions, one millisecond apart, from `at` on. */
  arrive(count: number, at: number): void {
    for (let number = 0; number < count; number += 1) void this.ready.take(at + number)
  }

  /** Begins a session. Returns its connection, if one was ready. */
  async take(at: number): Promise<DialledUpstream | undefined> {
    return (await this.ready.take(at))?.connection
  }

  /** Advances the time second by second. Every dial ends at once. Returns the connections that were made. */
  async pass(from: number, to: number): Promise<DialledUpstream[]> {
    const made: DialledUpstream[] = []
    for (let at = from; at < to; at += SECOND) {
      this.ready.tick(at)
      while (this.open.length > 0) {
        made.push(connectionWith('220 a\r\n'))
        await this.end(made.at(-1), at)
      }
    }
    return made
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
    assert.equal(rig.ready.take(0), undefined)
    rig.arrive(100, 0)
    rig.ready.tick(50)
    assert.equal(rig.dials, 0)
  })

  test('are not dialled before the first session', () => {
    const rig = new Rig(8)
    for (let at = 0; at < MINUTE; at += SECOND) rig.ready.tick(at)
    assert.equal(rig.dials, 0)
  })

  test('are more than one from the fifth session within ten seconds on', async () => {
    const rig = new Rig(8)
    rig.arrive(1, 0)
    assert.equal(rig.dials, 1)
    await rig.end(undefined, -MINUTE, 2 * SECOND) // a dial lasts two seconds
    rig.arrive(3, 1)
    assert.equal(rig.dials, 2)
    rig.arrive(1, 9 * SECOND)
    assert.equal(rig.dials, 4, 'one, and two for sessions during a dial')
  })

  test('are one if sessions are rare', async () => {
    const rig = new Rig(8)
    for (let at = 0; at < MINUTE; at += 2.5 * SECOND) {
      await rig.take(at)
      await rig.pass(at + 1, at + SECOND)
      assert.equal(rig.ready.size, 1)
    }
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
    const taken = await Promise.all([0, 1, 2].map(() => rig.take(300)))
    assert.deepEqual(
      taken.map((connection) => connection?.greeting.bytes.toString()),
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
    const taken = await Promise.all([0, 1].map(() => rig.ready.take(2001)))
    assert.deepEqual(
      taken.map((ready) => ready?.dial),
      [dialled(1300, 700), dialled(-1000, 2 * SECOND)],
    )
  })

  test('are replaced when they are taken', async () => {
    const rig = new Rig(1)
    rig.arrive(5, 0)
    await rig.end(connectionWith('220 a\r\n'), 10)
    assert.ok(await rig.take(20))
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
      assert.deepEqual(
        rig.unused.map(({ end, dial }) => [end, dial]),
        [['lost', dialled(0, 10)]],
      )
    })

    test(`are not given to a session that begins when the upstream ${what}: it gets another one, or none`, async () => {
      const rig = new Rig(2)
      const [older, newer] = [connectionWith('220 a\r\n'), connectionWith('220 b\r\n')]
      rig.arrive(5, 0)
      await rig.end(older, 10, 2 * SECOND)
      rig.ready.tick(10)
      await rig.end(newer, 11)
      const [first, second] = [rig.take(20), rig.take(20)]
      act(newer.socket)
      assert.equal(await first, undefined, 'the second session had the older one already')
      assert.equal(await second, older)
    })
  }

  test('are replaced by an older one if the newest was lost when a session began', async () => {
    const rig = new Rig(2)
    const [older, newer] = [connectionWith('220 a\r\n'), connectionWith('220 b\r\n')]
    rig.arrive(5, 0)
    await rig.end(older, 10, 2 * SECOND)
    rig.ready.tick(10)
    await rig.end(newer, 11)
    const taking = rig.take(20)
    newer.socket.push('421 4.3.2 shutting down\r\n')
    assert.equal(await taking, older)
  })

  test('are not discarded after a session took them', async () => {
    const rig = new Rig(1)
    const connection = connectionWith('220 a\r\n')
    rig.arrive(5, 0)
    await rig.end(connection, 10)
    assert.equal(await rig.take(20), connection)
    connection.socket.push('250 ok\r\n')
    await new Promise((turn) => setImmediate(turn))
    assert.equal(connection.socket.destroyed, false)
    assert.equal(connection.socket.read()?.toString(), '250 ok\r\n', 'the bytes are still there for its session')
    connection.socket.destroy()
  })

  test('are closed after forty seconds: AhaSend closes an idle connection after sixty', async () => {
    const rig = new Rig(1)
    const connection = connectionWith('220 a\r\n')
    rig.arrive(5, 0)
    await rig.end(connection, 10)
    rig.ready.tick(40 * SECOND)
    assert.equal(connection.socket.destroyed, false)
    rig.ready.tick(40 * SECOND + 11)
    assert.equal(connection.socket.destroyed, true)
    assert.equal(rig.ready.take(40 * SECOND + 12), undefined)
    assert.deepEqual(rig.unused, [{ type: 'unused', at: 40 * SECOND + 11, end: 'expired', dial: dialled(0, 10) }])
  })

  test('are closed after a suspension of the machine, during which the monotonic clock stood still', async (context) => {
    const rig = new Rig(1)
    rig.arrive(1, 0)
    await rig.end(connectionWith('220 a\r\n'), 10)
    const wall = Date.now()
    context.mock.method(Date, 'now', () => wall + 10 * MINUTE)
    assert.equal(rig.ready.take(20), undefined)
  })

  test('are renewed after thirty seconds; the old one stays ready until then', async () => {
    const rig = new Rig(1)
    const [old, renewed] = [connectionWith('220 a\r\n'), connectionWith('220 b\r\n')]
    rig.arrive(1, 0)
    await rig.end(old, 10)
    rig.ready.tick(30 * SECOND)
    assert.equal(rig.dials, 1)
    rig.ready.tick(30 * SECOND + 10)
    assert.equal(rig.dials, 2)
    assert.deepEqual([rig.ready.size, old.socket.destroyed], [1, false])
    await rig.end(renewed, 31 * SECOND)
    assert.deepEqual([rig.ready.size, old.socket.destroyed], [1, true], 'never more than the maximum')
    assert.equal(await rig.take(31 * SECOND), renewed)
  })

  test('are not renewed by a dial that fails; the old one is closed in time', async () => {
    const rig = new Rig(1)
    const old = connectionWith('220 a\r\n')
    rig.arrive(1, 0)
    await rig.end(old, 10)
    rig.ready.tick(31 * SECOND)
    await rig.end(undefined, 32 * SECOND)
    assert.equal(await rig.take(33 * SECOND), old)
  })

  test('are renewed, all of them, never more than the maximum, and expire when sessions end', async () => {
    const rig = new Rig(4)
    for (let at = 0; at < 2 * MINUTE; at += SECOND) {
      rig.arrive(10, at)
      await rig.pass(at, at + 1)
      assert.ok(rig.ready.size <= 4, `${rig.ready.size}`)
    }
    await rig.pass(2 * MINUTE, 3 * MINUTE)
    assert.equal(rig.ready.size, 1)
    await rig.pass(3 * MINUTE, 6 * MINUTE)
    assert.equal(rig.ready.size, 0)
  })

  test('cost at most 120 connections an hour while sessions are rare, and none three minutes after the last one', async () => {
    const rig = new Rig(8)
    const made = await rig.pass(0, SECOND)
    for (let minute = 0; minute < 60; minute += 1) {
      await rig.take(minute * MINUTE)
      made.push(...(await rig.pass(minute * MINUTE, (minute + 1) * MINUTE)))
    }
    assert.ok(made.length <= 120, `${made.length}`)
    const last = await rig.pass(60 * MINUTE, 70 * MINUTE)
    assert.ok(last.length <= 5, `${last.length}`)
    assert.equal(rig.ready.size, 0)
    assert.ok(
      [...made, ...last].every(({ socket }) => socket.destroyed || socket.isPaused()),
      'closed, or taken',
    )
    assert.equal(rig.unused.length + 59, made.length + last.length)
  })

  test('are ready for each message of an app that sends one a minute', async () => {
    const rig = new Rig(8)
    await rig.take(0)
    for (let at = MINUTE; at < 30 * MINUTE; at += MINUTE) {
      await rig.pass(at - MINUTE, at)
      const connection = await rig.take(at)
      assert.ok(connection && !connection.socket.destroyed, `after ${at} ms`)
    }
  })

  test('are ready in every event loop after a session in one of them', () => {
    const first = new LastSession()
    const second = new LastSession(first.memory)
    const [one, other] = [new Rig(1, first), new Rig(1, second)]
    other.ready.tick(0)
    assert.equal(other.dials, 0)
    one.arrive(1, 0)
    other.ready.tick(SECOND)
    assert.deepEqual([one.dials, other.dials], [1, 1])
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
      for (let at = 20; at < 29 * SECOND; at += 100) assert.equal(rig.ready.take(at), undefined)
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
    rig.ready.close(150)
    await rig.end(late, 200)
    assert.deepEqual([waiting.socket.destroyed, late.socket.destroyed, rig.ready.size], [true, true, 0])
    rig.arrive(50, 300)
    assert.equal(rig.dials, 2)
    assert.deepEqual(
      rig.unused.map(({ end, at }) => [end, at]),
      [['expired', 150]],
    )
  })
})
