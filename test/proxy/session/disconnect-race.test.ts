/**
 * The upstream refuses a message and resets the connection while the proxy, in its own process, is writing to it. The
 * refusal and the RST race with the proxy's writes, so one run proves little: `RUNS=400 node --test test/proxy/session/disconnect-race.test.ts`
 * measures a rate. Without the proxy the same race is between the upstream and the client's own writes. The proxy has to win
 * it at least as often as a client that is connected directly.
 */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { exchange, ProcessStage } from '../../support/processes/process-stage.ts'
import type { Peer } from '../../support/sockets/scripted-peers.ts'

const RUNS = Number(process.env.RUNS ?? 20)
const BODY = Buffer.alloc(16 * 1024 * 1024, 'all that is to be said\r\n')
/** Roughly what the upstream reads of it. */
const READ = 1_000_000

for (const layer of ['TLS', 'plain TCP']) {
  describe(`An upstream that refuses and resets while the proxy writes to it, over ${layer}`, () => {
    let stage: ProcessStage
    before(async () => {
      stage = await ProcessStage.open({ plaintext: layer === 'plain TCP' })
    })
    after(() => stage.close())

    for (const code of [421, 552]) {
      test(`${RUNS} clients that read while they send all read the ${code} (R5)`, async (context) => {
        const refusal = `${code} ${Math.floor(code / 100)}.3.4 no\r\n`
        const direct = await timesRead(() => stage.direct(), refusal)
        const proxied = await timesRead(() => stage.greeted(), refusal)
        context.diagnostic(`read by ${direct} directly and by ${proxied} through the proxy`)
        assert.ok(proxied >= direct, `${direct} read it directly, ${proxied} through the proxy`)
        assert.equal(proxied, RUNS)
      })
    }
  })
}

interface Session {
  readonly client: Peer
  readonly upstream: Peer
}

/** The number of clients, of `RUNS`, that read the refusal, each in its own session. */
async function timesRead(open: () => Promise<Session>, refusal: string): Promise<number> {
  let read = 0
  for (let run = 0; run < RUNS; run += 1) if (await readsRefusal(await open(), refusal)) read += 1
  return read
}

/** Sends a message that is refused in the middle. True if the client reads the refusal. */
async function readsRefusal(session: Session, refusal: string): Promise<boolean> {
  const { client, upstream } = session
  await exchange(session, 'EHLO app.example\r\n', '250 mail.example\r\n')
  await exchange(session, 'MAIL FROM:<a@example.com>\r\n', '250 ok\r\n')
  await exchange(session, 'RCPT TO:<b@example.net>\r\n', '250 ok\r\n')
  await exchange(session, 'DATA\r\n', '354 go ahead\r\n')
  void client.send(BODY)
  await upstream.received(READ)
  await resetAfter(upstream, refusal)
  const read = await client.readReply().then(
    (reply) => reply === refusal,
    () => false,
  )
  client.destroy()
  return read
}

/** Sends it and closes with unread bytes, which makes the kernel send an RST. */
async function resetAfter(upstream: Peer, refusal: string): Promise<void> {
  upstream.pause()
  await upstream.send(refusal)
  upstream.destroy()
}
