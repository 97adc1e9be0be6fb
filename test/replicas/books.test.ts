/** The comparison of the books finds each kind of mistake. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { MessageRecord } from '../simulator/ledger.ts'
import type { Message, Try } from './apps.ts'
import { type Books, inDoubt, inDoubtByKill, mistakesIn } from './books.ts'
import type { Life } from './replica.ts'

const KILL = 100_000

function tried(recipient: string, result: Try['result'], at = 0): Try {
  return { recipient, client: 'shop', result, reason: result === 'accepted' ? '250' : '421', at }
}

function received(recipient: string, code?: number): MessageRecord {
  const record = { session: 1, at: 0, sender: 'app@example.com', recipients: [recipient], size: 1, sha256: '' }
  return code === undefined ? record : { ...record, code }
}

function life(metrics: Readonly<Record<string, number>>, more: Partial<Life> = {}): Life {
  return { name: 'replica-1 start 1', killed: false, metrics, log: metrics, exitCode: 0, cut: 0, ...more }
}

const MESSAGES: readonly Message[] = [
  { tries: [tried('a1', 'accepted')] },
  // refused while a replica drained
  { tries: [tried('b1', 'refused'), tried('b2', 'accepted')] },
  // in doubt at a drain
  { tries: [tried('c1', 'no reply'), tried('c2', 'accepted')] },
  // in doubt at the kill
  { tries: [tried('d1', 'no reply', KILL + 10), tried('d2', 'accepted', KILL + 300)] },
]

/** Books that agree: the killed replica did not log `d1`. */
const RIGHT: Books = {
  messages: MESSAGES,
  ledger: [
    ...['a1', 'b2', 'c2', 'd1', 'd2'].map((recipient) => received(recipient, 250)),
    // AhaSend had not decided when the connection ended
    received('c1'),
  ],
  lives: [
    life({ 'accepted shop': 3, 'tempfail shop': 1, 'in_doubt shop': 1 }),
    life({}, { killed: true, exitCode: null, log: { 'accepted shop': 1 } }),
  ],
  kills: [KILL],
}

const DEFECTS: Readonly<Record<string, readonly [books: Partial<Books>, mistake: RegExp]>> = {
  'a message that was given up': [
    { messages: [...MESSAGES, { tries: [tried('e1', 'refused')] }] },
    /^e1 was given up: 421$/,
  ],
  'an acceptance that AhaSend did not give': [
    { messages: [...MESSAGES, { tries: [tried('e1', 'accepted')] }] },
    /^e1 was accepted and AhaSend does not have it$/,
  ],
  'a message that arrives twice': [{ ledger: [...RIGHT.ledger, received('a1', 250)] }, /^AhaSend has a1 2 times$/],
  'a refusal of a message that AhaSend has': [
    { ledger: [...RIGHT.ledger, received('b1', 250)] },
    /^AhaSend has b1, and the app got 421$/,
  ],
  'messages that no replica counted': [
    { lives: [life({ 'accepted shop': 1, 'in_doubt shop': 1 })] },
    /^accepted shop: 5 in the ledger, 1 in the metrics$/,
  ],
  'a message that two replicas counted': [
    { lives: [...RIGHT.lives, life({ 'accepted shop': 2 })] },
    /^accepted shop: 5 in the ledger, 6 in the metrics$/,
  ],
  'a message in doubt that was not reported': [
    { lives: [life({ 'accepted shop': 4 })] },
    /^1 messages are in doubt, and the replicas reported 0$/,
  ],
  'metrics that differ from the log': [
    { lives: [...RIGHT.lives, life({ 'permfail shop': 1 }, { log: {} })] },
    /^replica-1 start 1: \[\["permfail shop",1\]\] in metrics, \[\] in logs$/,
  ],
}

describe('The books of several replicas', () => {
  test('agree although messages were refused, and one each was in doubt at a drain and at a kill', () => {
    assert.deepEqual(mistakesIn(RIGHT), [])
    assert.deepEqual(
      [inDoubt(RIGHT), inDoubtByKill(RIGHT)].map((tries) => tries.map(({ recipient }) => recipient)),
      [['c1', 'd1'], ['d1']],
    )
  })

  for (const [what, [defect, mistake]] of Object.entries(DEFECTS))
    test(`show ${what}`, () => {
      const mistakes = mistakesIn({ ...RIGHT, ...defect })
      assert.ok(
        mistakes.some((one) => mistake.test(one)),
        mistakes.join('\n'),
      )
    })
})
