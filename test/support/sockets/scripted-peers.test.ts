import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import { makeAuthority } from '../tls/certificates.ts'
import { connectClient, type Identity, type Peer, playPreamble, ScriptedUpstream, startTls } from './scripted-peers.ts'

let ca: string
let identity: Identity

before(async () => {
  const authority = await makeAuthority()
  const { certPem, keyPem } = await authority.issue({ dnsNames: ['localhost'] })
  ca = authority.certPem
  identity = { cert: certPem, key: keyPem }
})

/** A client connected directly to a scripted upstream. */
async function pair(limitMs?: number): Promise<{ client: Peer; server: Peer; close: () => Promise<void> }> {
  const upstream = await ScriptedUpstream.start(limitMs === undefined ? {} : { limitMs })
  const { transcript, port } = upstream
  const client = await connectClient({ port, transcript, ...(limitMs !== undefined && { limitMs }) })
  const server = await upstream.accept()
  const close = async () => {
    client.destroy()
    await upstream.close()
  }
  return { client, server, close }
}

describe('The scripted peers', () => {
  test('read up to an end that arrives in pieces, and keep the rest', async () => {
    const { client, server, close } = await pair()
    await client.trickle('NOOP\r\nQUIT\r\n')
    assert.equal((await server.readUntil('NOOP\r\n')).toString(), 'NOOP\r\n')
    assert.equal(await server.readLine(), 'QUIT\r\n')
    assert.equal(server.log.all.toString(), 'NOOP\r\nQUIT\r\n')
    await close()
  })

  test('read all lines of a reply', async () => {
    const { client, server, close } = await pair()
    await server.send('250-mail.example\r\n250-SIZE\r\n')
    await server.send('250 HELP\r\n220 next\r\n')
    assert.equal(await client.readReply(), '250-mail.example\r\n250-SIZE\r\n250 HELP\r\n')
    assert.equal(client.log.unread.toString(), '220 next\r\n')
    await close()
  })

  test('send and receive every byte unchanged', async () => {
    const { client, server, close } = await pair()
    const bytes = Buffer.from(Array.from({ length: 70_000 }, (_, index) => index % 256))
    await client.send(bytes)
    assert.ok((await server.readBytes(bytes.length)).equals(bytes))
    await close()
  })

  test('distinguish a FIN from an RST', async () => {
    const first = await pair()
    await first.client.end()
    assert.equal(await first.server.closed(), 'fin')
    await first.close()
    const second = await pair()
    await second.server.reset()
    assert.equal(await second.client.closed(), 'reset')
    await second.close()
  })

  test('can still write after the other side has ended its direction', async () => {
    const { client, server, close } = await pair()
    await client.end()
    assert.equal(await server.closed(), 'fin')
    await server.send('221 bye\r\n')
    await server.end()
    assert.equal(await client.readReply(), '221 bye\r\n')
    await close()
  })

  test('start TLS in mid-session with STARTTLS, and distinguish a FIN from an RST there, too', async () => {
    for (const how of ['fin', 'reset'] as const) {
      const { client, server, close } = await pair()
      const upgraded = startTls(client, { ca, servername: 'localhost' })
      await server.readUntil('STARTTLS\r\n')
      await server.send('220 go\r\n')
      await server.secureAsServer(identity)
      await upgraded
      await client.send('EHLO app\r\n')
      assert.equal((await server.readUntil('\r\n')).toString(), 'EHLO app\r\n')
      assert.equal(server.log.length, 'EHLO app\r\n'.length, 'a new log inside TLS')
      await (how === 'fin' ? client.end() : client.reset())
      assert.equal(await server.closed(), how)
      await close()
    }
  })

  test('play the upstream in the preamble', async () => {
    const { client, server, close } = await pair()
    const played = playPreamble(server, { identity })
    assert.equal(await client.readReply(), '220 mail.example ESMTP\r\n')
    await client.send('EHLO [127.0.0.1]\r\n')
    assert.match(await client.readReply(), /^250-mail\.example\r\n.*250 STARTTLS\r\n$/s)
    await startTls(client, { ca, servername: 'localhost' })
    await played
    assert.equal(server.tls?.encrypted, true)
    await close()
  })

  test('fail with the transcript of both ends when nothing arrives in time', async () => {
    const { client, server, close } = await pair(2000)
    await server.send('220 mail.example\r\n')
    await client.readReply()
    await assert.rejects(client.readUntil('250 '), (error: Error) => {
      assert.match(error.message, /client waited for bytes that end in "250 ", but 2000 ms passed/)
      assert.match(error.message, /upstream +sent +"220 mail\.example\\r\\n"/)
      return /client +read +"220 mail\.example\\r\\n"/.test(error.message)
    })
    await close()
  })

  test('fail immediately when the connection ends before the expected bytes arrive', async () => {
    const { client, server, close } = await pair()
    await server.end()
    await assert.rejects(client.readReply(), /client waited for .*, but the connection ended \(fin\)/)
    await close()
  })
})
