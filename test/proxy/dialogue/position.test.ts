/** What a session may ask about its conversation, in particular once the dialogue has given up. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Dialogue } from '../../../proxy/dialogue/dialogue.ts'
import type { Position } from '../../../proxy/dialogue/position.ts'
import type { OpaqueReason } from '../../../proxy/events/closed-sets.ts'
import { opaqueReasons } from '../../../proxy/events/closed-sets.ts'

/** A dialogue after these lines: `C` sent by the client, `S` by the upstream. */
function dialogueAfter(...lines: readonly string[]): Dialogue {
  const dialogue = new Dialogue(() => {})
  for (const line of lines) {
    const bytes = Buffer.from(`${line.slice(2)}\r\n`)
    if (line.startsWith('C')) dialogue.client(bytes, 0)
    else dialogue.reply({ bytes, code: Number(bytes.toString('latin1', 0, 3)) }, 0)
  }
  return dialogue
}

/** The answers to all questions. */
function answersOf(position: Position): Record<keyof Position, unknown> {
  const { opaque, inSaslLayer, inCommand, inLine, inBody, repliesOwed, finalRepliesOwed, awaitedCommand } = position
  const { full, betweenMessages, refusedWhileSending, ehloAccepted, quitSent, upstreamSent421 } = position
  return {
    ...{ opaque, inSaslLayer, inCommand, inLine, inBody, repliesOwed, finalRepliesOwed, awaitedCommand },
    ...{ full, betweenMessages, refusedWhileSending, ehloAccepted, quitSent, upstreamSent421 },
  }
}

const IDENTIFIED = ['C EHLO app', 'S 250 mail.example']
const IN_BODY = [...IDENTIFIED, 'C MAIL FROM:<a@b>', 'S 250 ok', 'C RCPT TO:<c@d>', 'S 250 ok', 'C DATA', 'S 354 go']

/** Positions at which a dialogue gives up, with what stays as it was. */
const GIVEN_UP: readonly (readonly [when: string, lines: readonly string[], kept: Partial<Position>])[] = [
  ['between messages', IDENTIFIED, { ehloAccepted: true }],
  ['in a command line', ['C NOOP', 'S 250 ok'], {}],
  ['while replies are owed', [...IDENTIFIED, 'C NOOP', 'C QUIT'], { ehloAccepted: true, quitSent: true }],
  ['while copies wait for the reply to DATA', ['C DATA', 'C Subject: x'], {}],
  ['in a body', IN_BODY, { ehloAccepted: true }],
  ['after the final dot', [...IN_BODY, 'C .'], { ehloAccepted: true }],
  ['after a 421', [...IDENTIFIED, 'S 421 bye'], { ehloAccepted: true, upstreamSent421: true }],
  ['in a body that was refused', [...IN_BODY, 'S 552 no'], { ehloAccepted: true, refusedWhileSending: true }],
]

/** The answers in an opaque session, unless something stays as it was. */
const OPAQUE = {
  ...{ opaque: true, inSaslLayer: false, inCommand: false, inLine: false, inBody: false, repliesOwed: 0 },
  ...{ finalRepliesOwed: 0, awaitedCommand: 'OTHER', full: false, betweenMessages: false },
  ...{ refusedWhileSending: false, ehloAccepted: false, quitSent: false, upstreamSent421: false },
}

describe('Once the dialogue has given up, every question has an answer', () => {
  for (const [when, lines, kept] of GIVEN_UP) {
    test(`given up ${when}`, () => {
      const dialogue = dialogueAfter(...lines)
      dialogue.giveUp('observer_failure', 0)
      assert.deepEqual(answersOf(dialogue.position), { ...OPAQUE, ...kept })
      dialogue.client(Buffer.from('MAIL FROM:<a@b>\r\nDATA\r\nhalf a line'), 0)
      assert.deepEqual(answersOf(dialogue.position), { ...OPAQUE, ...kept }, 'client bytes change nothing')
    })
  }

  test('a 421 still counts', () => {
    const dialogue = dialogueAfter(...IDENTIFIED)
    dialogue.giveUp('reply_mismatch', 0)
    dialogue.reply({ bytes: Buffer.from('421 bye\r\n'), code: 421 }, 0)
    assert.equal(dialogue.position.upstreamSent421, true)
  })

  for (const reason of opaqueReasons) {
    test(`${reason}: bytes are ${reason === 'sasl_security_layer' ? 'no SMTP' : 'still SMTP'}`, () => {
      const dialogue = dialogueAfter(...IDENTIFIED)
      dialogue.giveUp(reason satisfies OpaqueReason, 0)
      assert.equal(dialogue.position.inSaslLayer, reason === 'sasl_security_layer')
    })
  }
})

describe('In a session that is understood', () => {
  const cases: readonly (readonly [when: string, lines: readonly string[], answers: Partial<Position>])[] = [
    ['at its start', [], { inCommand: true, betweenMessages: true, awaitedCommand: 'UNSOLICITED' }],
    ['after a command', ['C NOOP'], { repliesOwed: 1, betweenMessages: false, awaitedCommand: 'NOOP' }],
    ['after DATA', [...IDENTIFIED, 'C DATA'], { inCommand: false, inBody: false, awaitedCommand: 'DATA' }],
    ['in a body', IN_BODY, { inBody: true, inCommand: false, repliesOwed: 0, betweenMessages: false }],
    ['after the final dot', [...IN_BODY, 'C .'], { finalRepliesOwed: 1, repliesOwed: 1, inCommand: true }],
    ['after the final reply', [...IN_BODY, 'C .', 'S 250 ok'], { finalRepliesOwed: 0, betweenMessages: true }],
  ]
  for (const [when, lines, answers] of cases) {
    test(when, () => {
      const { position } = dialogueAfter(...lines)
      const asked = Object.keys(answers) as (keyof Position)[]
      assert.deepEqual(Object.fromEntries(asked.map((question) => [question, position[question]])), answers)
    })
  }

  test('a TLS handshake of the client makes EHLO necessary again', () => {
    const dialogue = dialogueAfter(...IDENTIFIED)
    dialogue.tls('TLSv1.3', 'TLS_AES_128_GCM_SHA256', 0)
    assert.equal(dialogue.position.ehloAccepted, false)
  })
})
