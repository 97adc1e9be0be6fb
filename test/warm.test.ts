/** Connections dialled ahead of need: how many, for how long, and that each serves one client at most. */
import assert from 'node:assert/strict'
import net from 'node:net'
import { after, before, describe, test } from 'node:test'
import { parseConfig } from '../proxy/config.ts'
import type { Dial } from '../proxy/events.ts'
import { type ProxyServer, startServer } from '../proxy/server.ts'
import type { DialResult, UpstreamLeg } from '../proxy/upstream.ts'
import { WarmLegs } from '../proxy/warm.ts'
import { makeTrust, type Trust } from './support/dial-rig.ts'
import { Recorder } from './support/in-process.ts'
import { connectClient, type Peer, playPreamble, ScriptedUpstream } from './support/peers.ts'

let trust: Trust
before(async () => {
  trust = await makeTrust()
})
after(() => trust.remove())

const SECOND = 1000

function legWith(greeting: string, refused = false): UpstreamLeg {
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
  readonly warm: WarmLegs
  /** Dials that have not ended. */
  readonly open: ((result: DialResult) => void)[] = []
  #dials = 0

  constructor(max: number) {
    this.warm = new WarmLegs(max, () => {
      this.#dials += 1
      return new Promise((settle) => this.open.push(settle))
    })
  }

  /** How often was dialled. */
  get dials(): number {
    return this.#dials
  }

  /** So many sessions begin, one millisecond apart, from `at` on; returns the last one's leg. */
  arrive(count: number, at: number): UpstreamLeg | undefined {
    let leg: UpstreamLeg | undefined
    for (let number = 0; number < count; number += 1) leg = this.warm.take(at + number)
    return leg
  }

  /** The oldest dial ends, having taken `ms`, with this leg or with none. */
  async end(leg: UpstreamLeg | undefined, at: number, ms = 10): Promise<void> {
    this.open.shift()!({ dial: dialled(at - ms, ms), ...(leg && { leg }) })
    await new Promise((turn) => setImmediate(turn))
  }
}

describe('Legs dialled ahead', () => {
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
    await pool.end(legWith('220 a\r\n'), 200, 100)
    pool.warm.tick(200)
    assert.equal(pool.dials, 3, 'one, and two for 200 ms')
    await pool.end(legWith('220 b\r\n'), 10 * SECOND - 1, 5 * SECOND)
    pool.warm.tick(SECOND)
    assert.equal(pool.dials, 4, 'four at most: two wait, two are dialled')
  })

  test('are given away once, the freshest first', async () => {
    const pool = new Pool(3)
    const legs = ['220 a\r\n', '220 b\r\n', '220 c\r\n'].map((greeting) => legWith(greeting))
    pool.arrive(100, 0)
    for (const [index, leg] of legs.entries()) {
      await pool.end(leg, 200 + index, 2 * SECOND)
      pool.warm.tick(200 + index)
    }
    assert.equal(pool.warm.size, 3)
    assert.deepEqual(
      [0, 1, 2].map(() => pool.warm.take(300)?.greeting.bytes.toString()),
      ['220 c\r\n', '220 b\r\n', '220 a\r\n'],
    )
    assert.equal(pool.warm.take(300), undefined)
  })

  test('are dialled anew as they are taken', async () => {
    const pool = new Pool(1)
    pool.arrive(5, 0)
    await pool.end(legWith('220 a\r\n'), 10)
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
      const leg = legWith('220 a\r\n')
      pool.arrive(5, 0)
      await pool.end(leg, 10)
      spoil(leg.socket)
      await new Promise((turn) => setImmediate(turn))
      assert.equal(pool.warm.size, 0)
      assert.equal(leg.socket.destroyed, true)
      assert.equal(pool.warm.take(20), undefined)
    })
  }

  test('that were given away are nobody else’s to judge', async () => {
    const pool = new Pool(1)
    const leg = legWith('220 a\r\n')
    pool.arrive(5, 0)
    await pool.end(leg, 10)
    assert.equal(pool.warm.take(20), leg)
    leg.socket.push('250 ok\r\n')
    await new Promise((turn) => setImmediate(turn))
    assert.equal(leg.socket.destroyed, false)
    assert.equal(leg.socket.read()?.toString(), '250 ok\r\n', 'what came is still there for its session')
    leg.socket.destroy()
  })

  test('are closed after twenty seconds: AhaSend closes a silent connection after sixty', async () => {
    const pool = new Pool(1)
    const leg = legWith('220 a\r\n')
    pool.arrive(5, 0)
    await pool.end(leg, 10)
    pool.warm.tick(20 * SECOND)
    assert.equal(leg.socket.destroyed, false)
    pool.warm.tick(20 * SECOND + 11)
    assert.equal(leg.socket.destroyed, true)
    assert.equal(pool.warm.take(20 * SECOND + 12), undefined)
  })

  test('are no more dialled ten seconds after the last session', async () => {
    const pool = new Pool(1)
    pool.arrive(5, 0)
    await pool.end(undefined, 10)
    pool.warm.tick(60 * SECOND)
    assert.equal(pool.dials, 1)
  })

  const FAILURES: readonly (readonly [string, () => UpstreamLeg | undefined])[] = [
    ['failed', () => undefined],
    ['ended in a refusal', () => legWith('421 4.3.2 load shedding\r\n', true)],
  ]
  for (const [what, make] of FAILURES) {
    test(`are not dialled for thirty seconds after a dial that ${what}`, async () => {
      const pool = new Pool(1)
      const leg = make()
      pool.arrive(5, 0)
      await pool.end(leg, 10)
      assert.equal(leg?.socket.destroyed ?? true, true)
      for (let at = 0; at < 29 * SECOND; at += 100) assert.equal(pool.warm.take(at), undefined)
      assert.equal(pool.dials, 1)
      pool.arrive(5, 31 * SECOND)
      assert.equal(pool.dials, 2)
    })
  }

  test('are closed at the end, those too that are only being dialled', async () => {
    const pool = new Pool(2)
    const [waiting, late] = [legWith('220 a\r\n'), legWith('220 b\r\n')]
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

/** The proxy before an upstream that greets each connection with its number, and plays the preamble by itself. */
class WarmStage {
  readonly server: ProxyServer
  readonly recorder = new Recorder()
  /** The upstream's ends, in the order in which they were dialled. Inside TLS unless refused. */
  readonly legs: Peer[] = []
  /** The legs of sessions. */
  readonly used = new Set<Peer>()
  #secured = 0
  /** What the upstream greets with; `#` is the connection's number. */
  greeting = '220 mail.example ESMTP #\r\n'
  readonly #upstream: ScriptedUpstream
  #running = true
  #waiting: (() => void)[] = []

  private constructor(server: ProxyServer, upstream: ScriptedUpstream, recorder: Recorder) {
    this.server = server
    this.recorder = recorder
    this.#upstream = upstream
    void this.#play()
  }

  static async open(warmConnections: number): Promise<WarmStage> {
    const upstream = await ScriptedUpstream.start({ limitMs: 1000 })
    const parsed = parseConfig({
      PROXY_LISTEN: 'smtp://127.0.0.1:0',
      PROXY_UPSTREAM: `smtp://localhost:${upstream.port}`,
      PROXY_UPSTREAM_CA_FILE: trust.caFile,
      PROXY_WARM_CONNECTIONS: String(warmConnections),
    })
    if ('mistakes' in parsed) throw new Error(parsed.mistakes.join('\n'))
    const recorder = new Recorder()
    return new WarmStage(await startServer({ config: parsed.config, telemetry: recorder }), upstream, recorder)
  }

  /** A client that has read its greeting, and said something that reaches its upstream: which one is told. */
  async session(): Promise<{ readonly client: Peer; readonly greeting: string; readonly leg: Peer }> {
    const client = await connectClient({ port: this.server.bound[0]!.port })
    const greeting = await client.readReply()
    const leg = this.legs[Number(/(\d+)\r\n/.exec(greeting)?.[1]) - 1]!
    this.used.add(leg)
    return { client, greeting, leg }
  }

  /** Begins so many sessions, one after the other. */
  async sessions(count: number): Promise<Awaited<ReturnType<WarmStage['session']>>[]> {
    const begun = []
    while (begun.length < count) begun.push(await this.session())
    return begun
  }

  /** Waits until so many connections were made and secured. Returns the one that nobody uses. */
  async dialled(count: number): Promise<Peer> {
    while (this.#secured < count) await new Promise<void>((look) => this.#waiting.push(look))
    const [unused] = this.legs.filter((leg) => !this.used.has(leg))
    assert.ok(unused, 'a leg waits')
    return unused
  }

  async close(): Promise<void> {
    this.#running = false
    await this.server.close()
    await this.#upstream.close()
    assert.deepEqual([this.recorder.failures, this.server.activeSessions], [[], 0])
  }

  async #play(): Promise<void> {
    while (this.#running) {
      const leg = await this.#upstream.accept().catch(() => undefined)
      if (!leg) continue
      this.legs.push(leg)
      const greeting = this.greeting.replace('#', String(this.legs.length))
      void playPreamble(leg, { identity: trust.identity, greeting }).then(
        () => {
          this.#secured += 1
          for (const look of this.#waiting.splice(0)) look()
        },
        () => {},
      )
    }
  }
}

describe('A proxy that dials ahead', () => {
  test('gives a leg that waits to the next client, greeting and all, and dials another', async () => {
    const warm = await WarmStage.open(2)
    const sessions = await warm.sessions(5)
    const waiting = await warm.dialled(6)
    const next = await warm.session()
    assert.equal(next.leg, waiting, 'its greeting tells')
    assert.equal(next.greeting, next.client.log.all.toString())
    await next.client.send('EHLO app.example\r\n')
    assert.equal(await next.leg.readLine(), 'EHLO app.example\r\n')
    await next.leg.send('250 mail.example\r\n')
    assert.equal(await next.client.readReply(), '250 mail.example\r\n')
    await warm.dialled(7)
    assert.equal(warm.recorder.sessions.at(-1)!.events.filter(({ type }) => type === 'dial').length, 0)
    assert.ok(warm.recorder.dials.length >= 1, 'a dial for nobody in particular is told to the telemetry')
    for (const { client } of [...sessions, next]) client.destroy()
    await warm.close()
  })

  test('never gives one leg to two clients', async () => {
    const warm = await WarmStage.open(2)
    const sessions = await warm.sessions(30)
    assert.equal(new Set(sessions.map(({ leg }) => leg)).size, sessions.length)
    for (const { client, leg } of sessions) {
      await client.send('QUIT\r\n')
      assert.equal(await leg.readLine(), 'QUIT\r\n')
      await leg.send('221 bye\r\n')
      await leg.end()
      assert.equal(await client.readReply(), '221 bye\r\n')
      await client.end()
    }
    const next = await warm.session()
    assert.ok(!sessions.some(({ leg }) => leg === next.leg), 'not even after its client has gone')
    next.client.destroy()
    await warm.close()
  })

  test('throws a leg away that the upstream has spoilt', async () => {
    const warm = await WarmStage.open(1)
    const sessions = await warm.sessions(5)
    const waiting = await warm.dialled(6)
    await waiting.send('421 4.3.2 mail.example idle too long\r\n')
    await waiting.closed()
    const next = await warm.session()
    assert.notEqual(next.leg, waiting)
    for (const { client } of [...sessions, next]) client.destroy()
    await warm.close()
  })

  test('closes the legs that wait when it drains, before the mails in flight have ended', async () => {
    const warm = await WarmStage.open(1)
    const sessions = await warm.sessions(5)
    const waiting = await warm.dialled(6)
    const drained = warm.server.drain()
    await waiting.closed()
    assert.equal(warm.server.activeSessions, 5)
    for (const { client, leg } of sessions) {
      client.destroy()
      leg.destroy()
    }
    assert.equal(await drained, 0)
    await warm.close()
  })

  test('leaves an upstream that refuses in peace', async () => {
    const warm = await WarmStage.open(2)
    const sessions = await warm.sessions(4)
    warm.greeting = '421 4.3.2 mail.example load shedding #\r\n'
    for (let number = 0; number < 6; number += 1) {
      const session = await warm.session()
      assert.match(session.greeting, /^421 4\.3\.2 mail\.example load shedding/)
      sessions.push(session)
    }
    const ahead = warm.recorder.dials.length
    assert.ok(ahead <= 1, `${ahead} dials ahead of need, and then a pause`)
    for (const { client } of sessions) client.destroy()
    await warm.close()
  })
})
