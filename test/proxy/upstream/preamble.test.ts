/** The preamble with an upstream that behaves: the proxy sends exactly its own commands. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { startScene } from '../../support/in-process/dial-rig.ts'
import { makeTrust, type Trust } from '../../support/in-process/trust.ts'
import { type Peer, playPreamble } from '../../support/sockets/scripted-peers.ts'

const GREETING = '220 mail.example ESMTP\r\n'
const CAPABILITIES = '250-mail.example\r\n250-PIPELINING\r\n250 STARTTLS\r\n'

let trust: Trust
before(async () => {
  trust = await makeTrust()
})
after(() => trust.remove())

describe('The preamble with an upstream that behaves', () => {
  /** How the same replies may be split into segments. */
  const WAYS: readonly (readonly [string, (peer: Peer, reply: string) => Promise<void>])[] = [
    ['whole', (peer, reply) => peer.send(reply)],
    ['byte by byte', (peer, reply) => peer.trickle(reply)],
  ]

  for (const [way, send] of WAYS) {
    test(`EHLO, STARTTLS and the handshake, then the client's own first command (replies ${way}) (TLU-01)`, async () => {
      await using scene = await startScene(trust)
      const { client, peer } = await scene.meet()
      await send(peer, GREETING)
      assert.equal(await peer.readLine(), 'EHLO [127.0.0.1]\r\n')
      await send(peer, CAPABILITIES)
      assert.equal(await peer.readLine(), 'STARTTLS\r\n')
      assert.equal(client.log.length, 0, 'nothing for the client before the connection is safe')
      await send(peer, '220 go\r\n')
      await peer.secureAsServer(trust.identity)
      assert.equal(peer.tls?.servername, 'localhost')
      assert.equal(await client.readReply(), GREETING)
      await client.send('eHLO app.example\r\n')
      assert.equal(await peer.readLine(), 'eHLO app.example\r\n')
      assert.equal(peer.log.unread.length, 0)
    })
  }

  test('the proxy does not use trust extensions that are offered inside TLS, and hides them from the client (TLU-14)', async () => {
    await using scene = await startScene(trust)
    const { client, peer } = await scene.meet()
    await playPreamble(peer, { identity: trust.identity })
    await client.readReply()
    await client.send('EHLO app.example\r\n')
    await peer.readLine()
    await peer.send('250-mail.example\r\n250-XCLIENT NAME ADDR\r\n250-XFORWARD NAME\r\n250 PIPELINING\r\n')
    assert.equal(await client.readReply(), '250-mail.example\r\n250 PIPELINING\r\n')
    await client.send('NOOP\r\n')
    await peer.readUntil('NOOP\r\n')
    assert.equal(peer.log.all.toString(), 'EHLO app.example\r\nNOOP\r\n')
  })

  test('with ?tls=off there is no preamble, and bytes after the greeting are relayed (TLU-01)', async () => {
    await using scene = await startScene(undefined, { plaintext: true })
    const { client, peer } = await scene.meet()
    await peer.send(`${GREETING}421 4.3.2 mail.example shutting down\r\n`)
    assert.equal(await client.readReply(), GREETING)
    assert.equal(await client.readReply(), '421 4.3.2 mail.example shutting down\r\n')
    await client.send('QUIT\r\n')
    await peer.readUntil('QUIT\r\n')
    assert.equal(peer.log.all.toString(), 'QUIT\r\n')
  })
})
