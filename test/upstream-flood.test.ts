/** An upstream that never stops talking: memory stays bounded and the connection is closed, however the session ends. */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import type { Peer } from './support/peers.ts'
import { exchange, ProcessStage } from './support/process-stage.ts'

/** What the proxy may need for it. The garbage of reads is most of it. */
const MAX_GROWTH_MIB = 16
/** Far below the 10 s for which the proxy waits for the end of an upstream. A second is usual. */
const LIMIT_MS = 5000
/** An upstream stops after this number of bytes. */
const MAX_FLOOD_BYTES = 2 ** 30

const LINE = Buffer.alloc(256 * 1024, 'x')
const CONTINUED = Buffer.from('250-x\r\n'.repeat(40_000))
const STRAY = Buffer.from('250 stray\r\n'.repeat(20_000))

interface Session {
  readonly client: Peer
  readonly upstream: Peer
}

/** What is said before the flood. */
type Opening = (stage: ProcessStage) => Promise<Session>

const connected: Opening = (stage) => stage.connect()
const greeted: Opening = (stage) => stage.greeted()

const asked: Opening = async (stage) => {
  const session = await stage.greeted()
  await session.client.send('EHLO app.example\r\n')
  await session.upstream.readLine()
  return session
}

const inBody: Opening = async (stage) => {
  const session = await stage.greeted()
  await exchange(session, 'EHLO app.example\r\n', '250 mail.example\r\n')
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

/** What the client does once the flood has begun; nothing where the flood itself ends the session. */
type Leaving = (client: Peer) => Promise<unknown>

const reads: Leaving = async () => {}

const CASES: readonly (readonly [string, Opening, Buffer, Leaving])[] = [
  ['a greeting line without an end', connected, LINE, reads],
  ['a greeting of endless lines', connected, Buffer.from('220-x\r\n'.repeat(40_000)), reads],
  ['an EHLO reply without an end, before TLS', beforeTls, LINE, reads],
  ['an EHLO reply of endless lines, before TLS', beforeTls, CONTINUED, reads],
  ['endless EHLO replies, before TLS', beforeTls, Buffer.from('250 STARTTLS\r\n'.repeat(20_000)), reads],
  ['a reply line without an end', asked, LINE, reads],
  ['a reply of endless lines', asked, CONTINUED, reads],
  ['a line without an end that nobody asked for', greeted, LINE, reads],
  ['a reply without an end in the body', inBody, CONTINUED, reads],
  ['a reply without an end at the final dot', dotSent, CONTINUED, reads],
  ['endless replies that say 220', greeted, Buffer.from('220 go\r\n'.repeat(20_000)), reads],
  ['endless stray replies, and a client that resets', greeted, STRAY, (client) => client.reset()],
  ['endless stray replies at the final dot, and a client that resets', dotSent, STRAY, (client) => client.reset()],
]

describe('An upstream that never stops talking', { skip: !existsSync('/proc/self/status') && 'needs /proc' }, () => {
  let stage: ProcessStage
  before(async () => {
    stage = await ProcessStage.open()
    for (const [, open, text, leave] of CASES.slice(0, 8)) await run(open, text, leave)
  })
  after(() => stage.close())

  for (const [what, open, text, leave] of CASES) {
    test(`${what}: bounded and closed`, async (context) => {
      const before = stage.residentMib
      const { client, upstream, ms, bytes } = await run(open, text, leave)
      const growth = stage.residentMib - before
      context.diagnostic(`${growth.toFixed(1)} MiB, ${ms.toFixed(0)} ms, ${(bytes / 2 ** 20).toFixed(0)} MiB said`)
      assert.ok(ms < LIMIT_MS, `closed after ${ms} ms\n${client.transcript}`)
      assert.ok(growth <= MAX_GROWTH_MIB, `${growth} MiB more memory`)
      upstream.destroy()
    })
  }

  async function run(open: Opening, text: Buffer, leave: Leaving) {
    const { client, upstream } = await open(stage)
    const began = performance.now()
    const flooded = flood(upstream, text)
    await leave(client)
    const bytes = await flooded
    const ms = performance.now() - began
    client.destroy()
    return { client, upstream, ms, bytes }
  }
})

/** Talks until the connection is gone; a FIN does not stop it. Returns the number of bytes that took. */
async function flood(peer: Peer, text: Buffer): Promise<number> {
  let bytes = 0
  while (!peer.gone && bytes < MAX_FLOOD_BYTES) {
    await peer.send(text)
    bytes += text.length
  }
  return bytes
}
