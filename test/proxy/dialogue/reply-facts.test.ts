/** The facts of a reply are what telemetry may report about it. Which cause a reply has: see reply-cause.test.ts. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { factsOf } from '../../../proxy/dialogue/reply-facts.ts'
import type { CommandName } from '../../../proxy/events/closed-sets.ts'
import type { ReplyFacts } from '../../../proxy/events/reply.ts'
import { ReplyReader } from '../../../proxy/smtp/reply.ts'

const [FIRST, SECOND] = ['0123456789abcdef0123456789abcdef', 'fedcba9876543210fedcba9876543210']

interface Case {
  readonly reply: string
  readonly command: CommandName
  readonly quietMs?: number
  /** All facts except `origin`, which is always `upstream`. */
  readonly facts: Omit<ReplyFacts, 'origin'>
}

const CASES: readonly Case[] = [
  { reply: '250 ok\r\n', command: 'NOOP', facts: { code: 250, cause: 'none' } },
  { reply: '250 2.1.0 ok\r\n', command: 'MAIL', facts: { code: 250, enhancedCode: '2.1.0', cause: 'none' } },
  { reply: '250 5.1.0 ok\r\n', command: 'MAIL', facts: { code: 250, cause: 'none' } },
  {
    reply: '550-5.0.0 more\r\n550 5.1.1 no such user\r\n',
    command: 'RCPT',
    facts: { code: 550, enhancedCode: '5.1.1', cause: 'none' },
  },
  {
    reply: '535 5.7.8 no\r\n',
    command: 'AUTH',
    facts: { code: 535, enhancedCode: '5.7.8', cause: 'invalid_credentials' },
  },
  { reply: '535 no\r\n', command: 'MAIL', facts: { code: 535, cause: 'none' } },
  { reply: '421 bye\r\n', command: 'UNSOLICITED', quietMs: 60_000, facts: { code: 421, cause: 'idle_timeout' } },
  { reply: '421 bye\r\n', command: 'UNSOLICITED', quietMs: 0, facts: { code: 421, cause: 'internal_error' } },
  {
    reply: `250 OK ids=${FIRST}\r\n`,
    command: 'END-OF-MESSAGE',
    facts: { code: 250, cause: 'none', ids: [FIRST] },
  },
  {
    reply: `250 PARTIAL ids=${FIRST} ${SECOND}\r\n`,
    command: 'BDAT',
    facts: { code: 250, cause: 'partially_queued', ids: [FIRST, SECOND] },
  },
  { reply: `250 OK ids=${FIRST}\r\n`, command: 'NOOP', facts: { code: 250, cause: 'none' } },
  { reply: `251 OK ids=${FIRST}\r\n`, command: 'END-OF-MESSAGE', facts: { code: 251, cause: 'none' } },
  { reply: 'no reply\r\n', command: 'OTHER', facts: { code: 0, cause: 'none' } },
]

describe('The facts of a reply', () => {
  for (const { reply, command, quietMs = 0, facts } of CASES) {
    test(`${JSON.stringify(reply)} to ${command}${quietMs > 0 ? ` after ${quietMs / 1000} s` : ''}`, () => {
      const read: ReplyFacts[] = []
      new ReplyReader().push(Buffer.from(reply), (whole) => read.push(factsOf(whole, command, quietMs)))
      assert.deepEqual(read, [{ ...facts, origin: 'upstream' }])
    })
  }

  test('never contain its text, which may quote an address or a credential', () => {
    const read: string[] = []
    const reply = '553 5.1.3 <secret@example.com> is not valid\r\n'
    new ReplyReader().push(Buffer.from(reply), (whole) => read.push(JSON.stringify(factsOf(whole, 'RCPT', 0))))
    assert.doesNotMatch(read.join(), /secret|example|valid/)
  })
})
