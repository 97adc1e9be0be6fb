/** A dialogue as a client, with a scripted server. */
import assert from 'node:assert/strict'
import net from 'node:net'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { Conversation, ehlo, NoAnswer, type NoAnswerReason } from '../../../app/conversation/conversation.ts'
import { ScriptedUpstream } from '../../support/sockets/scripted-peers.ts'

const OPTIONS = { timeoutMs: 10_000, redact: (text: string) => text.replaceAll('secret', '***') }

describe('A dialogue', () => {
  let upstream: ScriptedUpstream
  let socket: net.Socket

  beforeEach(async () => {
    upstream = await ScriptedUpstream.start()
    socket = net.connect(upstream.port, '127.0.0.1')
  })
  afterEach(async () => {
    socket.destroy()
    await upstream.close()
  })

  async function start(timeoutMs = OPTIONS.timeoutMs) {
    const conversation = new Conversation({ socket }, { ...OPTIONS, timeoutMs })
    return { conversation, server: await upstream.accept() }
  }

  test('has commands and replies, and a printable record without secrets', async () => {
    const { conversation, server } = await start()
    await server.send('220 mail.example\r\n')
    assert.deepEqual(await conversation.greeting(), { code: 220, lines: ['220 mail.example'], text: 'mail.example' })
    const [answer] = await Promise.all([ehlo(conversation), server.send('250-mail.example\r\n250 \x1b[31mSIZE\r\n')])
    assert.deepEqual(answer, { code: 250, lines: ['250-mail.example', '250 ?[31mSIZE'], text: '?[31mSIZE' })
    await Promise.all([conversation.send('AUTH PLAIN secret\r\n'), server.send('535 secret\r\n')])
    assert.deepEqual(conversation.record.slice(-4), [
      '< 250-mail.example',
      '< 250 ?[31mSIZE',
      '> AUTH PLAIN ***',
      '< 535 ***',
    ])
  })

  test('keeps replies that arrive before they are waited for', async () => {
    const { conversation, server } = await start()
    await server.send('220 one\r\n421 two\r\n')
    assert.equal((await conversation.greeting()).code, 220)
    assert.equal((await conversation.send('NOOP\r\n')).code, 421)
  })

  test('can be detached, and reports bytes after the last reply', async () => {
    const { conversation, server } = await start()
    await server.send('220 one\r\n')
    await conversation.greeting()
    await Promise.all([conversation.send('STARTTLS\r\n'), server.send('220 go\r\n250 injected\r\n')])
    assert.equal(conversation.detach(), false)
    assert.equal(new Conversation({ socket }, OPTIONS).detach(), true)
  })

  const ENDINGS: readonly (readonly [what: string, reason: NoAnswerReason, bytes: string, ends: boolean])[] = [
    ['the server closes', 'closed', '', true],
    ['the server closes in the middle of a reply', 'closed', '220-one\r\n', true],
    ['the server is silent', 'timeout', '220-one\r\n', false],
    ['the reply is endless', 'too_long', '220-one\r\n'.repeat(2000), false],
  ]
  for (const [what, reason, bytes, ends] of ENDINGS)
    test(`ends when ${what}, also for later commands`, async () => {
      const { conversation, server } = await start(reason === 'timeout' ? 100 : undefined)
      const isEnded = (error: unknown) => error instanceof NoAnswer && error.reason === reason
      const refused = assert.rejects(conversation.greeting(), isEnded)
      if (bytes) await server.send(bytes)
      if (ends) await server.end()
      await refused
      await assert.rejects(conversation.send('NOOP\r\n'), isEnded)
    })
})
