/**
 * An upstream that never stops sending: memory stays bounded and the connection is closed, however the session ends. Each
 * case has its own proxy process, because a process whose heap grew in an earlier flood does not grow again.
 */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { describe, type TestContext, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { exchange, ProcessStage } from '../../support/processes/process-stage.ts'
import type { Peer } from '../../support/sockets/scripted-peers.ts'

/**
 * How much the resident memory of a proxy that has relayed ordinary mail may grow: the garbage of what it reads and parses.
 * Measured: 0.2 to 7.0.
 */
const MAX_GROWTH_MIB = 16
/**
 * The same for many short replies, each of which is an event that waits for the end of its turn. Measured: 6.9 to 12.6, and up
 * to 25.5 while the machine is busy and garbage is collected late. A proxy that buffers these replies would need 350 bytes for
 * each of 11: 250 MiB.
 */
const MAX_GROWTH_OF_REPLIES_MIB = 40
/**
 * How much the upstream may write until its connection is gone, however slow the machine is: what the proxy has not read is
 * in buffers of the kernel, which by default grow to 4 MiB where it is written and 6 MiB where it is read. Measured: 4.3,
 * and 8.2 where the proxy waits for a client.
 */
const MAX_FLOOD_BYTES = 32 * 2 ** 20
/** Within this time the connection is gone, in most of `FLOODS` floods: the machine may stall in one. Measured: 1 to 96 ms. */
const LIMIT_MS = 1000
const FLOODS = 3

const NEEDS_PROC = { skip: !existsSync('/proc/self/status') && 'needs /proc' }

const EHLO = 'EHLO app.example\r\n'
const NOOP = 'NOOP\r\n'

const LINE = Buffer.alloc(256 * 1024, 'x')
const CONTINUED = Buffer.from('250-x\r\n'.repeat(40_000))
const STRAY = Buffer.from('250 stray\r\n'.repeat(20_000))

interface Session {
  readonly client: Peer
  readonly upstream: Peer
}

/** What is sent before the flood. */
type Opening = (stage: ProcessStage) => Promise<Session>

const connected: Opening = (stage) => stage.connect()
const greeted: Opening = (stage) => stage.greeted()

/** Inside TLS, as all that follows the greeting. */
const asked =
  (command: string): Opening =>
  async (stage) => {
    const session = await stage.greeted()
    await exchange(session, EHLO, '250 mail.example\r\n')
    await session.client.send(command)
    await session.upstream.readUntil(command)
    return session
  }

const inBody: Opening = async (stage) => {
  const session = await stage.greeted()
  await exchange(session, EHLO, '250 mail.example\r\n')
  for (const said of ['MAIL FROM:<a@example.com>\r\n', 'RCPT TO:<b@example.net>\r\n'])
    await exchange(session, said, '250 ok\r\n')
  await exchange(session, 'DATA\r\n', '354 go ahead\r\n')
  return session
}

const dotSent: Opening = async (stage) => {
  const session = await inBody(stage)
  await session.client.send('.\r\n')
  await session.upstream.readLine()
  return session
}

const beforeTls: Opening = async (stage) => {
  const session = await stage.connect()
  await session.upstream.send('220 mail.example ESMTP\r\n')
  await session.upstream.readLine()
  return session
}

/** What the client does once the flood has begun; nothing if the flood itself ends the session. */
type Leaving = (client: Peer) => Promise<unknown>

const reads: Leaving = async () => {}

const CASES: readonly (readonly [string, Opening, Buffer, Leaving])[] = [
  ['a greeting line without an end', connected, LINE, reads],
  ['a greeting of endless lines', connected, Buffer.from('220-x\r\n'.repeat(40_000)), reads],
  ['endless greetings', connected, Buffer.from('220 mail.example ESMTP\r\n'.repeat(10_000)), reads],
  ['an EHLO reply without an end, before TLS', beforeTls, LINE, reads],
  ['an EHLO reply of endless lines, before TLS', beforeTls, CONTINUED, reads],
  ['endless EHLO replies, before TLS', beforeTls, Buffer.from('250 STARTTLS\r\n'.repeat(20_000)), reads],
  ['an EHLO reply without an end, inside TLS', asked(EHLO), LINE, reads],
  ['an EHLO reply of endless lines, inside TLS', asked(EHLO), CONTINUED, reads],
  ['a reply line without an end', asked(NOOP), LINE, reads],
  ['a reply of endless lines', asked(NOOP), CONTINUED, reads],
  ['an unsolicited line without an end', greeted, LINE, reads],
  ['a reply without an end in the body', inBody, CONTINUED, reads],
  ['a reply without an end at the final dot', dotSent, CONTINUED, reads],
  ['endless replies of 220', greeted, Buffer.from('220 go\r\n'.repeat(20_000)), reads],
  ['endless stray replies, and a client that resets', greeted, STRAY, (client) => client.reset()],
  ['endless stray replies at the final dot, and a client that resets', dotSent, STRAY, (client) => client.reset()],
]

describe('An upstream that never stops sending', NEEDS_PROC, () => {
  for (const [what, open, text, leave] of CASES) {
    test(`${what}: bounded and closed`, async (context) => {
      const stage = await openStage(context)
      const before = stage.residentMib
      const floods: Flood[] = []
      while (floods.length < FLOODS) floods.push(await flood(await open(stage), text, leave))
      const growth = stage.residentMib - before
      const bytes = Math.max(...floods.map((each) => each.bytes))
      const ms = floods.map((each) => each.ms).sort((one, other) => one - other)[Math.floor(FLOODS / 2)]!
      context.diagnostic(
        `${growth.toFixed(1)} MiB more, ${ms.toFixed(0)} ms, ${(bytes / 2 ** 20).toFixed(1)} MiB written`,
      )
      assert.ok(bytes < MAX_FLOOD_BYTES, `${bytes} bytes were written`)
      assert.ok(growth <= MAX_GROWTH_MIB, `${growth} MiB more memory`)
      assert.ok(ms < LIMIT_MS, `closed after ${ms} ms`)
    })
  }
})

describe('Unsolicited replies', NEEDS_PROC, () => {
  test('are not read while the client does not read them', async (context) => {
    const stage = await openStage(context)
    const before = stage.residentMib
    const session = await stage.greeted()
    session.client.pause()
    let bytes = 0
    while (bytes < MAX_FLOOD_BYTES && (await taken(session.upstream.send(STRAY)))) bytes += STRAY.length
    const growth = stage.residentMib - before
    context.diagnostic(`${growth.toFixed(1)} MiB more, ${(bytes / 2 ** 20).toFixed(1)} MiB written`)
    assert.ok(bytes < MAX_FLOOD_BYTES, `${bytes} bytes were written`)
    assert.ok(growth <= MAX_GROWTH_OF_REPLIES_MIB, `${growth} MiB more memory`)
    await session.client.reset()
    assert.equal(await session.upstream.closed(), 'reset')
  })
})

/** A proxy that has relayed ordinary mail. */
async function openStage(context: TestContext): Promise<ProcessStage> {
  const stage = await ProcessStage.open()
  context.after(() => stage.close())
  await relayOrdinaryMail(stage)
  return stage
}

/** Messages that make the proxy load and allocate what it needs in everyday use. */
async function relayOrdinaryMail(stage: ProcessStage): Promise<void> {
  const session = await stage.greeted()
  await exchange(session, EHLO, '250 mail.example\r\n')
  for (let count = 0; count < 20; count += 1) {
    for (const said of ['MAIL FROM:<a@example.com>\r\n', 'RCPT TO:<b@example.net>\r\n'])
      await exchange(session, said, '250 ok\r\n')
    await exchange(session, 'DATA\r\n', '354 go ahead\r\n')
    await exchange(session, `${'An ordinary line of text.\r\n'.repeat(4000)}.\r\n`, '250 ok\r\n')
  }
  session.client.destroy()
  await session.upstream.closed()
}

/** False if the proxy has read nothing for so long that it must have stopped. A stall of the machine looks the same. */
async function taken(sent: Promise<void>): Promise<boolean> {
  return await Promise.race([sent.then(() => true), pause(2000, false)])
}

interface Flood {
  /** What the upstream wrote. */
  readonly bytes: number
  /** How long it could write. */
  readonly ms: number
}

/** The upstream writes until the connection is gone, or too much is written; a FIN does not stop it. */
async function flood({ client, upstream }: Session, text: Buffer, leave: Leaving): Promise<Flood> {
  const began = performance.now()
  const leaving = leave(client)
  let bytes = 0
  while (!upstream.gone && bytes < MAX_FLOOD_BYTES) {
    await upstream.send(text)
    bytes += text.length
  }
  const ms = performance.now() - began
  await leaving
  client.destroy()
  upstream.destroy()
  return { bytes, ms }
}
