/**
 * The laws of docs/test-cases.md, under random faults on both sides (the test prints the seed): the proxy invents no
 * message, relays none twice and alters none. It counts every message that AhaSend accepted without a reply to the
 * sender.
 */

import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import net from 'node:net'
import { describe, test } from 'node:test'
import type { SessionEvent } from '../../proxy/events/session-event.ts'
import { startServer } from '../../proxy/server/server.ts'
import { type Simulator, startSimulator } from '../simulator/simulator.ts'
import { configOf } from '../support/in-process/config.ts'
import { Recorder } from '../support/in-process/recorder.ts'
import { Peer } from '../support/sockets/scripted-peers.ts'
import { SeededRandom } from '../support/traffic/seeded-random.ts'
import { until } from '../support/waiting/until.ts'

const SESSIONS = 300
const AT_ONCE = 10

/** The upstream's faults and their probabilities. Three sessions in ten meet at least one fault. */
const FAULTS: Readonly<Record<string, number>> = {
  'load-shedding': 0.02,
  '421-at-mail': 0.01,
  '450-at-rcpt': 0.02,
  '451-at-data': 0.02,
  '421-at-data': 0.01,
  'close-at-data': 0.01,
  '552-at-end-of-message': 0.03,
  '451-at-end-of-message': 0.03,
  '421-at-end-of-message': 0.02,
  'close-at-end-of-message': 0.03,
  'reset-at-end-of-message': 0.03,
  'cut-at-end-of-message': 0.03,
  'cut-reset-at-end-of-message': 0.03,
  'slow-20-at-end-of-message': 0.1,
  'wire-reset-5000': 0.03,
  'wire-cut-4800': 0.03,
  'slices-20': 0.05,
}

/** One message as its sender sees it. */
interface Sent {
  readonly sha256: string
  /** True once the final dot was written to the socket. */
  dot: boolean
  /** The reply to the final dot, if the sender read one. */
  verdict?: string
  /** True when the sender aborted the session after the final dot. */
  brokeOff?: true
}

/** An app that sends some messages, pipelined or not, and sometimes aborts the session. */
class App {
  readonly sent: Sent[] = []
  /** Every reply that the app read. */
  readonly replies: string[] = []
  /** The app's own port, which identifies its session in the events. */
  port = 0
  readonly #random: SeededRandom
  readonly #name: string

  constructor(name: string, random: SeededRandom) {
    this.#name = name
    this.#random = random
  }

  async run(port: number): Promise<void> {
    const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true })
    await once(socket, 'connect')
    this.port = socket.localPort ?? 0
    const peer = new Peer(socket, { name: this.#name, limitMs: 60_000 })
    try {
      await this.#talk(peer)
    } catch {
      // the connection ended: only what the app has read until then counts
    } finally {
      peer.destroy()
    }
  }

  async #talk(peer: Peer): Promise<void> {
    if (!(await this.#read(peer)).startsWith('220')) return
    await this.#ask(peer, 'EHLO app.example\r\n')
    const mails = 1 + this.#random.below(3)
    for (let number = 0; number < mails; number += 1) {
      if (!(await this.#mail(peer, number))) return
    }
    await this.#ask(peer, 'QUIT\r\n')
    await peer.closed()
  }

  /** Sends a message. Returns false when the session has ended. */
  async #mail(peer: Peer, number: number): Promise<boolean> {
    const codes = await this.#envelope(peer, number)
    if (codes.includes('421')) return false
    if (codes.at(-1) === '354') return await this.#body(peer, number)
    await this.#ask(peer, 'RSET\r\n')
    return true
  }

  async #envelope(peer: Peer, number: number): Promise<string[]> {
    const lines = [`MAIL FROM:<${this.#name}-${number}@example.com>\r\n`, 'RCPT TO:<you@example.net>\r\n', 'DATA\r\n']
    const codes: string[] = []
    if (this.#random.chance(0.5)) {
      await peer.send(lines.join(''))
      for (const _ of lines) codes.push((await this.#read(peer)).slice(0, 3))
      return codes
    }
    for (const line of lines) {
      codes.push((await this.#ask(peer, line)).slice(0, 3))
      if (Number(codes.at(-1)) >= 400) break
    }
    return codes
  }

  async #body(peer: Peer, number: number): Promise<boolean> {
    const text = `Subject: ${this.#name} ${number}\r\n\r\n${'a line of text\r\n..\r\n'.repeat(this.#random.below(800))}`
    const mail: Sent = { sha256: createHash('sha256').update(text).digest('hex'), dot: false }
    this.sent.push(mail)
    const cut = this.#random.below(text.length)
    await peer.send(text.slice(0, cut))
    if (this.#random.chance(0.05)) return await this.#breakOff(peer)
    await peer.send(text.slice(cut))
    if (this.#random.chance(0.05)) return await this.#breakOff(peer)
    mail.dot = true
    await peer.send('.\r\n')
    if (this.#random.chance(0.07)) {
      mail.brokeOff = true
      return await this.#breakOff(peer)
    }
    mail.verdict = await this.#read(peer)
    return !mail.verdict.startsWith('421')
  }

  async #breakOff(peer: Peer): Promise<false> {
    await (this.#random.chance(0.5) ? peer.reset() : peer.end())
    return false
  }

  async #ask(peer: Peer, line: string): Promise<string> {
    await peer.send(line)
    return await this.#read(peer)
  }

  async #read(peer: Peer): Promise<string> {
    const reply = await peer.readReply()
    this.replies.push(reply)
    return reply
  }
}

interface Campaign {
  readonly apps: readonly App[]
  readonly simulator: Simulator
  readonly recorder: Recorder
  readonly left: number
}

/** Runs all sessions, ten at a time, and waits until the proxy has ended them. */
async function runCampaign(seed: number): Promise<Campaign> {
  const random = new SeededRandom(seed)
  const faults = Object.fromEntries(Object.entries(FAULTS).map(([name, probability]) => [name, { probability }]))
  await using simulator = await startSimulator({ requireAuth: false, seed, faults })
  const recorder = new Recorder()
  const server = await startServer({ config: configFor(simulator), telemetry: recorder })
  const port = server.bound[0]!.port
  const apps = Array.from({ length: SESSIONS }, (_, number) => new App(`app${number}`, random.another()))
  const waiting = [...apps]
  const work = async () => {
    for (let app = waiting.shift(); app; app = waiting.shift()) await app.run(port)
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
  await until('no session is active', () => server.activeSessions === 0)
  await server.close()
  return { apps, simulator, recorder, left: server.activeSessions }
}

function configFor(simulator: Simulator) {
  return configOf({
    PROXY_LISTEN: 'smtp://127.0.0.1:0',
    PROXY_UPSTREAM: `smtp://localhost:${simulator.port}`,
    PROXY_UPSTREAM_CA_FILE: simulator.caFile,
    // a dial in slices takes more than a hundred turns of this busy event loop, and must not time out
    PROXY_DIAL_TIMEOUT: '25s',
  })
}

describe('In sessions with random faults, the laws hold', () => {
  const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 32))

  test(`${SESSIONS} sessions (L1, L2, L3, L4, L5, L6, REL-02)`, async (context) => {
    context.diagnostic(`SEED=${seed}`)
    const { apps, simulator, recorder, left } = await runCampaign(seed)
    const sent = apps.flatMap((app) => app.sent)
    const taken = new Map(simulator.ledger.messages.map((message) => [message.sha256, message]))
    const acceptances = simulator.ledger.messages.filter(({ code }) => code === 250)

    assert.ok(acceptances.length > SESSIONS / 2, 'most messages are accepted')
    assert.ok(
      sent.some(({ verdict }) => verdict === undefined),
      'some messages get no reply',
    )

    for (const mail of sent.filter(({ verdict }) => verdict?.startsWith('250'))) {
      assert.equal(taken.get(mail.sha256)?.code, 250, 'L1: every 250 that a client read came from the upstream')
    }
    for (const [sha256, count] of simulator.ledger.bodies) {
      assert.equal(count, 1, 'L3: no message arrives twice')
      const mail = sent.find((candidate) => candidate.sha256 === sha256)
      assert.ok(mail, 'L5: every message arrives unaltered')
      assert.ok(mail.dot, 'L4: only the sender ends a message')
    }
    for (const app of apps) {
      for (const { sha256, verdict, brokeOff } of app.sent) {
        if (taken.get(sha256)?.code !== 250 || verdict !== undefined) continue
        const counted = uncertain(recorder, app.port)
        // the proxy may have written the reply before it could notice that the sender had disconnected
        assert.ok(
          counted === 1 || (brokeOff && counted === 0),
          `L2: accepted and not confirmed, counted ${counted} times`,
        )
      }
    }
    assertEveryRefusalIsTheUpstreams(apps, simulator)
    assert.equal(left, 0)
    assert.deepEqual(recorder.failures, [])
    for (const { events } of recorder.sessions) {
      assert.equal(events.filter(({ type }) => type === 'session-close').length, 1)
      assertMessagesEndOnce(events)
    }
  })
})

/** How often the proxy reported a final reply as in doubt or not delivered, in the session from this port. */
function uncertain(recorder: Recorder, port: number): number {
  const session = recorder.sessions.find(
    ({ events }) => events[0]?.type === 'session-open' && events[0].clientPort === port,
  )
  return session!.events.filter(
    (event) =>
      (event.type === 'tx-lost' && event.outcome === 'in_doubt') ||
      (event.type === 'reply-lost' && event.loss !== 'incomplete'),
  ).length
}

/** L6: the clients read no refusal more often than the upstream sent it. */
function assertEveryRefusalIsTheUpstreams(apps: readonly App[], simulator: Simulator): void {
  const given = Map.groupBy(simulator.ledger.replies, ({ code }) => String(code))
  const read = Map.groupBy(
    apps.flatMap(({ replies }) => replies),
    (reply) => reply.slice(0, 3),
  )
  for (const [code, replies] of read) {
    if (Number(code) >= 500)
      assert.ok(replies.length <= (given.get(code)?.length ?? 0), `L6: the upstream sent fewer ${code} replies`)
  }
  const own = apps.flatMap(({ replies }) => replies).filter((reply) => reply.includes('ahasend-smtp-proxy'))
  assert.deepEqual(own, [], 'no local replies')
}

/** Every message that begins ends exactly once. */
function assertMessagesEndOnce(events: readonly SessionEvent[]): void {
  const begun = events.filter(({ type }) => type === 'tx-begin').length
  const ended = events.filter(({ type }) => /^tx-(commit|rollback|reset|lost)$/.test(type)).length
  assert.equal(ended, begun)
}
