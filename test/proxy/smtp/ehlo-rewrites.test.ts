/** Reused rewrites of EHLO replies: equal to new ones, and bounded. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { type ClientSecurity, rewriteEhlo } from '../../../proxy/smtp/ehlo.ts'
import { EhloRewrites, MAX_KEPT } from '../../../proxy/smtp/ehlo-rewrites.ts'

const SECURITIES: readonly ClientSecurity[] = ['tls', 'plain', 'starttls-offered', 'starttls-required']

const KEYWORDS = ['STARTTLS', 'PIPELINING', 'CHUNKING', 'BINARYMIME', 'REQUIRETLS', 'XCLIENT', 'AUTH PLAIN EXTERNAL']

/** A reply with these keywords. */
function replyWith(keywords: readonly string[], name = 'mail.example'): Buffer {
  const lines = [name, ...keywords]
  return Buffer.from(lines.map((text, at) => `250${at === lines.length - 1 ? ' ' : '-'}${text}\r\n`).join(''))
}

describe('A rewrite of an EHLO reply that is reused', () => {
  test('equals a new one, whatever was rewritten before', () => {
    const replies = fc.array(
      fc.tuple(
        fc.subarray(KEYWORDS),
        fc.constantFrom('a.example', 'b.example', 'bad\r\n550 x'),
        fc.constantFrom(...SECURITIES),
      ),
      { minLength: 1, maxLength: 40 },
    )
    fc.assert(
      fc.property(replies, (drawn) => {
        const rewrites = new EhloRewrites()
        for (const [keywords, name, security] of drawn) {
          const reply = replyWith(keywords, name)
          const expected = rewriteEhlo(Buffer.from(reply), security)
          const rewritten = rewrites.rewrite(reply, security)
          assert.deepEqual(rewritten, expected)
          // the relay reports a change only if the buffer is another one
          assert.equal(rewritten.bytes === reply, rewriteEhlo(reply, security).bytes === reply)
        }
      }),
    )
  })

  test('is the same buffer while the upstream sends the same bytes', () => {
    const rewrites = new EhloRewrites()
    const first = rewrites.rewrite(replyWith(['PIPELINING']), 'starttls-offered')
    assert.equal(rewrites.rewrite(replyWith(['PIPELINING']), 'starttls-offered'), first)
    assert.notEqual(rewrites.rewrite(replyWith(['SIZE']), 'starttls-offered'), first)
    assert.equal(rewrites.rewrite(replyWith(['PIPELINING']), 'starttls-offered'), first)
  })

  test('does not follow the buffer that the reply was read into', () => {
    const rewrites = new EhloRewrites()
    const chunk = replyWith(['STARTTLS', 'SIZE'])
    rewrites.rewrite(chunk, 'plain')
    replyWith(['CHUNKING', 'X']).copy(chunk)
    assert.deepEqual(rewrites.rewrite(chunk, 'plain'), rewriteEhlo(chunk, 'plain'))
  })

  test(`is kept for ${MAX_KEPT} replies of each kind of security, and not for long ones`, () => {
    const rewrites = new EhloRewrites()
    const first = rewrites.rewrite(replyWith(['STARTTLS']), 'tls')
    for (let number = 1; number < MAX_KEPT; number += 1) rewrites.rewrite(replyWith(['STARTTLS'], `${number}`), 'tls')
    assert.equal(rewrites.rewrite(replyWith(['STARTTLS']), 'tls'), first)
    rewrites.rewrite(replyWith(['STARTTLS'], 'one more'), 'tls')
    assert.notEqual(rewrites.rewrite(replyWith(['STARTTLS']), 'tls'), first)
    const long = replyWith(['STARTTLS', `X-${'x'.repeat(5000)}`])
    assert.notEqual(rewrites.rewrite(long, 'tls'), rewrites.rewrite(long, 'tls'))
  })
})
