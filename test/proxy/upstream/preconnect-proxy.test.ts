/** A proxy that preconnects, as clients and the upstream see it. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { setImmediate as endOfTurn } from 'node:timers/promises'
import { type ProxyServer, startServer } from '../../../proxy/server/server.ts'
import { parseConfig } from '../../../proxy/settings/settings.ts'
import { RENEW_MS } from '../../../proxy/upstream/preconnect.ts'
import { Clock } from '../../support/in-process/clock.ts'
import { Recorder } from '../../support/in-process/recorder.ts'
import { makeTrust, type Trust } from '../../support/in-process/trust.ts'
import { connectClient, type Peer, playPreamble, ScriptedUpstream } from '../../support/sockets/scripted-peers.ts'
import { until } from '../../support/waiting/until.ts'

let trust: Trust
before(async () => {
  trust = await makeTrust()
})
after(() => trust.remove())

/** The proxy, with an upstream that greets each connection with its number and completes the preamble. */
class Stage {
  readonly server: ProxyServer
  readonly recorder = new Recorder()
  /** The upstream's sockets, in the order of their dials. Inside TLS unless refused. */
  readonly connections: Peer[] = []
  /** The connections of sessions. */
  readonly used = new Set<Peer>()
  /** Those whose preamble is complete. */
  readonly #secured = new Set<Peer>()
  /** The upstream's greeting; `#` is the connection's number. */
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

  /** `greeting` as below. */
  static async open(warmConnections: number, greeting?: string): Promise<Stage> {
    const upstream = await ScriptedUpstream.start()
    const parsed = parseConfig({
      PROXY_LISTEN: 'smtp://127.0.0.1:0',
      PROXY_UPSTREAM: `smtp://localhost:${upstream.port}`,
      PROXY_UPSTREAM_CA_FILE: trust.caFile,
      PROXY_WARM_CONNECTIONS: String(warmConnections),
    })
    if ('mistakes' in parsed) throw new Error(parsed.mistakes.join('\n'))
    const recorder = new Recorder()
    const server = await startServer({ config: parsed.config, telemetry: recorder, limits: { tickMs: 10 } })
    const stage = new Stage(server, upstream, recorder)
    opened.push(server, upstream)
    if (greeting !== undefined) stage.greeting = greeting
    return stage
  }

  /** A client that has read its greeting, and the connection that the greeting came from. */
  async session(): Promise<{ readonly client: Peer; readonly greeting: string; readonly connection: Peer }> {
    const client = await connectClient({ port: this.server.bound[0]!.port })
    const greeting = await client.readReply()
    const connection = this.connections[Number(/(\d+)\r\n/.exec(greeting)?.[1]) - 1]!
    this.used.add(connection)
    return { client, greeting, connection }
  }

  /** Begins this number of sessions, one after the other. */
  async sessions(count: number): Promise<Awaited<ReturnType<Stage['session']>>[]> {
    const begun = []
    while (begun.length < count) begun.push(await this.session())
    return begun
  }

  /** The open connections that no session has. */
  get unused(): Peer[] {
    return [...this.#secured].filter((connection) => !this.used.has(connection) && !connection.ending)
  }

  /** Waits until a connection is ready. Returns the newest one. */
  async ready(): Promise<Peer> {
    while (this.unused.length === 0) await new Promise<void>((settle) => this.#waiting.push(settle))
    return this.unused.at(-1)!
  }

  async close(): Promise<void> {
    this.#running = false
    await this.server.close()
    await this.#upstream.close()
    assert.deepEqual([this.recorder.failures, this.server.activeSessions], [[], 0])
  }

  async #play(): Promise<void> {
    while (this.#running) {
      const connection = await this.#upstream.accept().catch(() => undefined)
      if (!connection) continue
      this.connections.push(connection)
      const greeting = this.greeting.replace('#', String(this.connections.length))
      void playPreamble(connection, { identity: trust.identity, greeting }).then(
        () => {
          this.#secured.add(connection)
          for (const settle of this.#waiting.splice(0)) settle()
        },
        () => {},
      )
    }
  }
}

/** What the tests opened: a failed test leaves it open, and the program would not end. */
const opened: { close(): Promise<unknown> }[] = []
after(() => Promise.all(opened.map((each) => each.close())))

describe('A proxy that preconnects', () => {
  test('gives a ready connection with its greeting to the next client, and dials another', async () => {
    const stage = await Stage.open(2)
    const sessions = await stage.sessions(1)
    const waiting = await stage.ready()
    const next = await stage.session()
    assert.equal(next.connection, waiting, 'its greeting has the number')
    assert.equal(next.greeting, next.client.log.all.toString())
    await next.client.send('EHLO app.example\r\n')
    assert.equal(await next.connection.readLine(), 'EHLO app.example\r\n')
    await next.connection.send('250 mail.example\r\n')
    assert.equal(await next.client.readReply(), '250 mail.example\r\n')
    await stage.ready()
    assert.ok(stage.recorder.preconnects.length >= 1, 'a dial without a session is reported')
    const reported = stage.recorder.sessions.map(({ events }) =>
      events.filter(({ type }) => type === 'dial' || type === 'handover'),
    )
    const handover = reported.at(-1)![0]
    assert.ok(handover?.type === 'handover' && reported.at(-1)!.length === 1, 'instead of a dial')
    assert.equal(handover.dial, stage.recorder.preconnects[0])
    assert.ok(handover.at >= handover.dial.end)
    assert.deepEqual(
      reported
        .slice(0, -1)
        .flat()
        .filter(({ type }) => type !== 'dial'),
      [],
      'the first session dialled itself',
    )
    for (const { client } of [...sessions, next]) client.destroy()
    await stage.close()
  })

  test('never gives one connection to two clients', async () => {
    const stage = await Stage.open(2)
    const sessions = await stage.sessions(30)
    assert.equal(new Set(sessions.map(({ connection }) => connection)).size, sessions.length)
    for (const { client, connection } of sessions) {
      await client.send('QUIT\r\n')
      assert.equal(await connection.readLine(), 'QUIT\r\n')
      await connection.send('221 bye\r\n')
      await connection.end()
      assert.equal(await client.readReply(), '221 bye\r\n')
      await client.end()
    }
    const next = await stage.session()
    assert.ok(!sessions.some(({ connection }) => connection === next.connection), 'not even after its client has gone')
    next.client.destroy()
    await stage.close()
  })

  test('discards a connection on which the upstream sent a reply', async () => {
    const stage = await Stage.open(1)
    const sessions = await stage.sessions(5)
    const waiting = await stage.ready()
    await waiting.send('421 4.3.2 mail.example idle too long\r\n')
    await waiting.closed()
    const next = await stage.session()
    assert.notEqual(next.connection, waiting)
    assert.deepEqual(
      stage.recorder.upstreamEvents.map((event) => event.type === 'unused' && event.end),
      ['lost'],
    )
    for (const { client } of [...sessions, next]) client.destroy()
    await stage.close()
  })

  test('has a ready connection each time for an app that connects once a minute, and holds none that is older than 40 s', async () => {
    using clock = new Clock()
    const stage = await Stage.open(8)
    const sessions = await stage.sessions(1)
    for (let minute = 0; minute < 4; minute += 1) {
      for (let step = 0; step < 6; step += 1) {
        await stage.recorder.ready(RENEW_MS)
        clock.passes(10_000)
      }
      await stage.recorder.ready(RENEW_MS)
      sessions.push(await stage.session())
    }
    // events are delivered at the end of their turn
    await endOfTurn()
    const { sessions: seen, upstreamEvents } = stage.recorder
    // the client may read the greeting before the events of its turn are delivered
    await until('the last handover is recorded', () => seen.at(-1)?.all('handover').length === 1)
    const handovers = seen.slice(1).map((session) => session.one('handover'))
    for (const { at, dial } of handovers) assert.ok(at - dial.end <= 40_000, `${at - dial.end} ms old`)
    assert.ok(upstreamEvents.length <= 8, `${upstreamEvents.length} unused connections in four minutes`)
    assert.ok(upstreamEvents.every((event) => event.type === 'unused' && event.end === 'expired'))
    await stage.recorder.ready(RENEW_MS)
    clock.passes(200_000)
    await until('the last one is closed', () => stage.unused.length === 0)
    for (const { client } of sessions) client.destroy()
    await stage.close()
  })

  test('closes ready connections at the start of a drain, before messages in flight have finished', async () => {
    const stage = await Stage.open(1)
    const sessions = await stage.sessions(5)
    const waiting = await stage.ready()
    const drained = stage.server.drain()
    await waiting.closed()
    assert.equal(stage.server.activeSessions, 5)
    for (const { client, connection } of sessions) {
      client.destroy()
      connection.destroy()
    }
    assert.equal(await drained, 0)
    await stage.close()
  })

  test('stops preconnecting to an upstream that refuses', async () => {
    const stage = await Stage.open(2, '421 4.3.2 mail.example load shedding #\r\n')
    const sessions = []
    for (let number = 0; number < 10; number += 1) {
      const session = await stage.session()
      assert.match(session.greeting, /^421 4\.3\.2 mail\.example load shedding/)
      sessions.push(session)
    }
    const dials = stage.recorder.preconnects.length
    assert.ok(dials <= 1, `${dials} dials without a session, and then a pause`)
    for (const { client } of sessions) client.destroy()
    await stage.close()
  })
})
