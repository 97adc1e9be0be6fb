/** AUTH by the mechanisms that the server offers. */
import assert from 'node:assert/strict'
import net from 'node:net'
import { test } from 'node:test'
import { authenticate } from '../../../app/conversation/authentication.ts'
import { Conversation } from '../../../app/conversation/conversation.ts'
import { ScriptedUpstream } from '../../support/sockets/scripted-peers.ts'

const LOGIN = { user: 'app', password: 'secret' }

/** What the server offers, the lines that it must get, each with its reply, and the last code. */
const CASES: readonly (readonly [
  offer: string,
  exchange: readonly (readonly [line: string, reply: string])[],
  code: number | undefined,
])[] = [
  ['AUTH LOGIN PLAIN', [['AUTH PLAIN AGFwcABzZWNyZXQ=', '235 ok']], 235],
  ['AUTH=plain', [['AUTH PLAIN AGFwcABzZWNyZXQ=', '535 no']], 535],
  [
    'AUTH LOGIN',
    [
      ['AUTH LOGIN', '334 VXNlcm5hbWU6'],
      ['YXBw', '334 UGFzc3dvcmQ6'],
      ['c2VjcmV0', '235 ok'],
    ],
    235,
  ],
  ['AUTH LOGIN', [['AUTH LOGIN', '454 later']], 454],
  [
    'AUTH LOGIN',
    [
      ['AUTH LOGIN', '334 VXNlcm5hbWU6'],
      ['YXBw', '535 unknown'],
    ],
    535,
  ],
  ['AUTH CRAM-MD5', [], undefined],
  ['SIZE', [], undefined],
]

for (const [offer, exchange, code] of CASES)
  test(`${offer}: ${exchange.map(([, reply]) => reply).join(', ') || 'nothing is sent'}`, async (context) => {
    const upstream = await ScriptedUpstream.start()
    const socket = net.connect(upstream.port, '127.0.0.1')
    context.after(async () => {
      socket.destroy()
      await upstream.close()
    })
    const server = await upstream.accept()
    const conversation = new Conversation({ socket }, { timeoutMs: 10_000, redact: (text) => text })
    const hello = { code: 250, lines: ['250-mail.example', `250 ${offer}`], text: offer }
    const answer = authenticate(conversation, hello, LOGIN)
    for (const [line, reply] of exchange) {
      await server.readUntil(`${line}\r\n`)
      await server.send(`${reply}\r\n`)
    }
    assert.equal((await answer)?.code, code)
    const record = conversation.record.join('\n')
    assert.doesNotMatch(record, /AGFwcABzZWNyZXQ|c2VjcmV0|YXBw/)
  })
