/**
 * What a reply means for the bytes that follow and for the transaction. How replies pair with commands: see
 * dialogue.test.ts. How transactions end: see transaction.test.ts.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Framing } from '../../../proxy/dialogue/framing.ts'
import { Conversation, type OwedReply } from '../../../proxy/dialogue/position.ts'
import { ReplyEffects } from '../../../proxy/dialogue/reply-effects.ts'
import { factsOf } from '../../../proxy/dialogue/reply-facts.ts'
import type { OpaqueReason } from '../../../proxy/events/closed-sets.ts'
import type { SessionEvent } from '../../../proxy/events/session-event.ts'
import type { Chunk } from '../../../proxy/smtp/command.ts'
import { type Reply, ReplyReader } from '../../../proxy/smtp/reply.ts'

/** The effects of replies in one session, with everything that they change. */
class Scene {
  readonly events: SessionEvent[] = []
  readonly givenUp: OpaqueReason[] = []
  readonly framing = new Framing({ command() {}, saslResponse() {}, endOfBody() {}, overflow() {} })
  readonly conversation = new Conversation(this.framing)
  readonly effects = new ReplyEffects(
    (event) => this.events.push(event),
    this.conversation,
    (reason) => this.givenUp.push(reason),
  )

  /** The client sent `line`. */
  sent(line: string): void {
    this.framing.push(Buffer.from(`${line}\r\n`), 1)
  }

  /** The upstream replied to `verb`. */
  replied(verb: OwedReply['verb'], text: string, chunk?: Chunk): void {
    const reply = replyOf(text)
    const answered: OwedReply = { command: 'OTHER', verb, at: 1, quietMs: 0, ...(chunk && { chunk }) }
    this.effects.apply(answered, factsOf(reply, 'OTHER', 0), reply, 2)
  }

  get types(): string[] {
    return this.events.map(({ type }) => type)
  }
}

function replyOf(text: string): Reply {
  const replies: Reply[] = []
  new ReplyReader().push(Buffer.from(`${text}\r\n`), (reply) => replies.push(reply))
  const [reply] = replies
  assert.ok(reply)
  return reply
}

describe('The reply decides what the next client bytes are', () => {
  const cases = [
    ['DATA', '354 go', 'body'],
    ['DATA', '300 go', 'body'],
    ['DATA', '250 what', 'command'],
    ['DATA', '554 no', 'command'],
    ['AUTH PLAIN', '334 ', 'sasl'],
    ['AUTH PLAIN', '235 ok', 'command'],
    ['AUTH PLAIN', '535 no', 'command'],
    ['STARTTLS', '220 go', 'command'],
    ['STARTTLS', '454 no', 'command'],
    ['FOO', '500 what', 'command'],
  ] as const
  for (const [line, reply, phase] of cases) {
    test(`${line}, ${reply}: ${phase}`, () => {
      const scene = new Scene()
      scene.sent(line)
      assert.equal(scene.framing.phase, line === 'FOO' ? 'unknown' : 'waiting')
      const verb = line === 'FOO' ? 'UNKNOWN' : (line.split(' ')[0] as 'AUTH' | 'DATA' | 'STARTTLS')
      scene.replied(verb, reply)
      assert.equal(scene.framing.phase, phase)
    })
  }
})

describe('The effects of a reply', () => {
  for (const [verb, reply, accepted, chunking] of [
    ['EHLO', '250-mail.example\r\n250 CHUNKING', true, true],
    ['EHLO', '250 mail.example', true, false],
    ['HELO', '250-mail.example\r\n250 CHUNKING', true, false],
    ['EHLO', '550-no\r\n550 CHUNKING', false, false],
  ] as const) {
    test(`${verb}, ${JSON.stringify(reply)}: ${accepted ? 'identified' : 'not identified'}${chunking ? ', BDAT has a known length' : ''}`, () => {
      const scene = new Scene()
      scene.replied(verb, reply)
      assert.equal(scene.conversation.ehloAccepted, accepted)
      assert.equal(scene.framing.chunking, chunking)
      assert.deepEqual(scene.types, accepted ? ['identify'] : [])
    })
  }

  for (const [reply, messages, events] of [
    ['250 ok', 1, ['tx-begin']],
    ['451 later', 0, ['tx-begin', 'tx-rollback']],
    ['550 no', 0, ['tx-begin', 'tx-rollback']],
    ['354 what', 0, []],
  ] as const) {
    test(`MAIL, ${reply}: ${events.join(', ') || 'nothing'}`, () => {
      const scene = new Scene()
      scene.replied('MAIL', reply)
      assert.deepEqual([scene.effects.messages, scene.types], [messages, events])
    })
  }

  for (const [verb, reply, ends] of [
    ['RSET', '250 ok', ['tx-reset']],
    ['QUIT', '221 bye', ['tx-reset']],
    ['EHLO', '250 mail.example', ['tx-reset', 'identify']],
    ['MAIL', '250 again', ['tx-reset', 'tx-begin']],
    ['MAIL', '503 nested MAIL', []],
    ['RSET', '500 what', []],
    ['DATA', '554 no', ['tx-rollback']],
    ['END', '250 ok', ['tx-commit']],
    ['END', '451 later', ['tx-rollback']],
    ['RCPT', '250 ok', ['tx-rcpt']],
  ] as const) {
    test(`${verb}, ${reply}, in a transaction: ${ends.join(', ') || 'it stays open'}`, () => {
      const scene = new Scene()
      scene.replied('MAIL', '250 ok')
      scene.replied(verb, reply)
      assert.deepEqual(scene.types.slice(1), ends)
    })
  }

  test('BDAT: each chunk counts, and the reply to the last one decides', () => {
    const scene = new Scene()
    scene.replied('MAIL', '250 ok')
    scene.replied('BDAT', '250 ok', { size: 100, last: false })
    assert.deepEqual(scene.types, ['tx-begin', 'tx-data'])
    scene.replied('BDAT', '250 ok', { size: 20, last: true })
    const end = scene.events.at(-1)
    assert.deepEqual(end?.type === 'tx-commit' && end.size, 120)
  })

  test('a chunk that is refused before its end counts the bytes that were sent', () => {
    const scene = new Scene()
    scene.replied('MAIL', '250 ok')
    scene.framing.chunking = true
    scene.sent('BDAT 100')
    scene.framing.push(Buffer.from('30 bytes of a chunk of 100....'), 1)
    scene.replied('BDAT', '552 too big', { size: 100, last: false })
    const end = scene.events.at(-1)
    assert.deepEqual(end?.type === 'tx-rollback' && end.size, 30)
  })

  test('a command after a refused chunk shows that the client has sent its message', () => {
    const scene = new Scene()
    scene.replied('MAIL', '250 ok')
    scene.conversation.sent({ command: 'RSET', verb: 'RSET', at: 1, quietMs: 0 })
    scene.replied('BDAT', '552 too big', { size: 100, last: false })
    assert.equal(scene.conversation.refusedWhileSending, false)
  })

  test('a refused chunk decides at once, and the client is still sending', () => {
    const scene = new Scene()
    scene.replied('MAIL', '250 ok')
    scene.replied('BDAT', '552 too big', { size: 100, last: false })
    assert.equal(scene.types.at(-1), 'tx-rollback')
    assert.equal(scene.conversation.refusedWhileSending, true)
  })
})

describe('A final reply before the end of the body', () => {
  function inBody(): Scene {
    const scene = new Scene()
    scene.replied('MAIL', '250 ok')
    scene.sent('DATA')
    scene.replied('DATA', '354 go')
    return scene
  }

  test('refuses the message: the final dot gets no reply of its own', () => {
    const scene = inBody()
    scene.effects.early(replyOf('552 too big'), 3)
    assert.deepEqual(scene.types.slice(-2), ['exchange', 'tx-rollback'])
    assert.deepEqual([scene.effects.refusedEarly, scene.conversation.refusedWhileSending], [true, true])
    assert.equal(scene.effects.bodyEnded(), false)
    assert.equal(scene.effects.refusedEarly, false)
  })

  test('that accepts the message makes the session opaque', () => {
    const scene = inBody()
    scene.effects.early(replyOf('250 ok'), 3)
    assert.deepEqual(scene.givenUp, ['early_data_reply'])
  })

  test('without one, the final dot is owed a reply', () => assert.equal(inBody().effects.bodyEnded(), true))
})

describe('A reply after which the bytes cannot be followed makes the session opaque', () => {
  const cases: readonly (readonly [what: string, play: (scene: Scene) => void, reason: OpaqueReason | undefined])[] = [
    ['LHLO, 250', (scene) => scene.replied('LHLO', '250 ok'), 'lmtp'],
    ['LHLO, 500', (scene) => scene.replied('LHLO', '500 what'), undefined],
    ['an unknown command, 354', (scene) => scene.replied('UNKNOWN', '354 go'), 'unknown_payload'],
    ['an unknown command, more bytes, 250', unknownWithPayload, 'unknown_payload'],
    ['AUTH GSSAPI, 235', (scene) => authenticated(scene, 'GSSAPI', '235 ok'), 'sasl_security_layer'],
    ['AUTH DIGEST-MD5, 235', (scene) => authenticated(scene, 'DIGEST-MD5', '235 ok'), 'sasl_security_layer'],
    ['AUTH GSSAPI, 535', (scene) => authenticated(scene, 'GSSAPI', '535 no'), undefined],
    ['AUTH PLAIN, 235', (scene) => authenticated(scene, 'PLAIN', '235 ok'), undefined],
  ]
  for (const [what, play, reason] of cases) {
    test(`${what}: ${reason ?? 'not opaque'}`, () => {
      const scene = new Scene()
      play(scene)
      assert.deepEqual(scene.givenUp, reason === undefined ? [] : [reason])
    })
  }

  function unknownWithPayload(scene: Scene): void {
    scene.sent('FOO')
    scene.sent('its payload, or a command')
    scene.replied('UNKNOWN', '250 ok')
  }

  function authenticated(scene: Scene, mechanism: string, reply: string): void {
    scene.effects.mechanism = mechanism
    scene.replied('AUTH', reply)
  }
})
