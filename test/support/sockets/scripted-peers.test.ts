import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import { parseScript } from '../dialogues/dlg.ts'
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

/** A client connected to a scripted upstream, with nothing between. */
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
  test('read up to a mark that comes in pieces, and keep the rest', async () => {
    const { client, server, close } = await pair()
    await client.trickle('NOOP\r\nQUIT\r\n')
    assert.equal((await server.readUntil('NOOP\r\n')).toString(), 'NOOP\r\n')
    assert.equal(await server.readLine(), 'QUIT\r\n')
    assert.equal(server.log.all.toString(), 'NOOP\r\nQUIT\r\n')
    await close()
  })

  test('read a reply of several lines whole', async () => {
    const { client, server, close } = await pair()
    await server.send('250-mail.example\r\n250-SIZE\r\n')
    await server.send('250 HELP\r\n220 next\r\n')
    assert.equal(await client.readReply(), '250-mail.example\r\n250-SIZE\r\n250 HELP\r\n')
    assert.equal(client.log.unread.toString(), '220 next\r\n')
    await close()
  })

  test('carry every octet as it is', async () => {
    const { client, server, close } = await pair()
    const octets = Buffer.from(Array.from({ length: 70_000 }, (_, index) => index % 256))
    await client.send(octets)
    assert.ok((await server.readBytes(octets.length)).equals(octets))
    await close()
  })

  test('tell a FIN from an RST', async () => {
    const first = await pair()
    await first.client.end()
    assert.equal(await first.server.closed(), 'fin')
    await first.close()
    const second = await pair()
    await second.server.reset()
    assert.equal(await second.client.closed(), 'reset')
    await second.close()
  })

  test('go on writing after the other side has ended its direction', async () => {
    const { client, server, close } = await pair()
    await client.end()
    assert.equal(await server.closed(), 'fin')
    await server.send('221 bye\r\n')
    await server.end()
    assert.equal(await client.readReply(), '221 bye\r\n')
    await close()
  })

  test('enter TLS in the middle, by STARTTLS, and tell a FIN from an RST there too', async () => {
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

  test('play the upstream side of the preamble', async () => {
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

  test('fail with the transcript of both ends when nothing comes', async () => {
    const { client, server, close } = await pair(2000)
    await server.send('220 mail.example\r\n')
    await client.readReply()
    await assert.rejects(client.readUntil('250 '), (error: Error) => {
      assert.match(error.message, /client waited for octets that end in "250 ", but 2000 ms went by/)
      assert.match(error.message, /upstream +sent +"220 mail\.example\\r\\n"/)
      return /client +read +"220 mail\.example\\r\\n"/.test(error.message)
    })
    await close()
  })

  test('fail at once when the connection ends before what was waited for', async () => {
    const { client, server, close } = await pair()
    await server.end()
    await assert.rejects(client.readReply(), /client waited for .*, but the connection ended \(fin\)/)
    await close()
  })
})

describe('A script', () => {
  const parse = (...lines: string[]) => parseScript('x', ['# It works.', ...lines, 'close C', ''].join('\n'))
  const wrong: readonly (readonly [string, string, RegExp])[] = [
    ['an unknown operator', 'Q hello', /x\.dlg:2: not a step: Q hello/],
    ['spaces at the end of a line', 'C hello ', /invisible spaces at the end/],
    ['a letter that is not ASCII', 'C h\u00e9llo', /not plain ASCII/],
    ['a character above \\u00ff', 'C~ "\\u0100"', /a byte is/],
    ['text that is not a JSON string', "C~ 'x'", /not a JSON string/],
    ['an unknown setting', '## speed: fast', /no such setting: speed/],
    ['an unknown listener', '## listener: quic', /quic is none of plain, starttls, smtps/],
    ['bytes from the proxy that are not relayed', 'P! 220 go', /not a step/],
  ]
  for (const [what, line, message] of wrong) {
    test(`refuses ${what}`, () => assert.throws(() => parse(line), message))
  }

  test('refuses a file without a close or a reset, or without a behaviour', () => {
    assert.throws(() => parseScript('x', '# It works.\nC QUIT\n'), /end with a close or a reset/)
    assert.throws(() => parseScript('x', 'C QUIT\nclose C\n'), /begin with a comment/)
  })

  test('adds CRLF to lines, and nothing to exact bytes', () => {
    const { steps } = parse('C', 'C hello', 'S~ "25"', 'S!~ "\\u0000\\u00ff" * 2', 'P 220 go', '--', 'wait 5ms')
    const bytes = steps.map((step) => ('bytes' in step ? step.bytes.toString('latin1') : step.kind))
    assert.deepEqual(bytes, [
      '\r\n',
      'hello\r\n',
      '25',
      '\u0000\u00ff\u0000\u00ff',
      '220 go\r\n',
      'flush',
      'wait',
      'end',
    ])
    assert.deepEqual(
      steps.map((step) => ('relayed' in step ? step.relayed : undefined)),
      [true, true, true, false, undefined, undefined, undefined, undefined],
    )
  })
})
