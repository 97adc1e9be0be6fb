/** The recorded parts of the paths in MAIL and RCPT (RFC 5321 4.1.2). */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { recipientOf, senderOf } from '../../../proxy/smtp/path.ts'

/** The text after `FROM:` or `TO:`, and the recorded parts with `full` and with `domain`. */
const PATHS: readonly (readonly [argument: string, full?: string, domain?: string])[] = [
  ['<a@b.example>', 'a@b.example', 'b.example'],
  [' \t<a@b.example>', 'a@b.example', 'b.example'],
  ['<a@b.example> SIZE=10 BODY=8BITMIME', 'a@b.example', 'b.example'],
  ['<A.b+c@B.Example>', 'A.b+c@B.Example', 'b.example'],
  ['a@b.example', 'a@b.example', 'b.example'],
  ['a@b.example SIZE=10', 'a@b.example', 'b.example'],
  ['<"a b"@c.example>', '"a b"@c.example', 'c.example'],
  ['<"a>b"@c.example>', '"a>b"@c.example', 'c.example'],
  ['<"a@b"@c.example>', '"a@b"@c.example', 'c.example'],
  ['<"a\\"@b"@c.example>', '"a\\"@b"@c.example', 'c.example'],
  ['<""@c.example>', '""@c.example', 'c.example'],
  ['<@a.example:u@x.example>', 'u@x.example', 'x.example'],
  ['<@a.example,@b.example:u@x.example>', 'u@x.example', 'x.example'],
  ['<a@[192.0.2.1]>', 'a@[192.0.2.1]', '[192.0.2.1]'],
  ['<a@[IPv6:2001:db8::1]>', 'a@[IPv6:2001:db8::1]', '[ipv6:2001:db8::1]'],
  ['<grüße@exämple.de> SMTPUTF8', 'grüße@exämple.de', 'exämple.de'],
  ['<用户@例子.广告>', '用户@例子.广告', '例子.广告'],
  ['<ПОЧТА@ПРИМЕР.РФ>', 'ПОЧТА@ПРИМЕР.РФ', 'пример.рф'],
  ['<postmaster>', 'postmaster'],
  [''],
  [' '],
  ['<'],
  ['>'],
  ['< >'],
  ['<a@b.example'],
  ['<a@b.example>SIZE=10'],
  ['<<a@b.example>>'],
  ['<a b@c.example>'],
  ['<a@b c.example>'],
  ['<a@b@c.example>'],
  ['<@b.example>'],
  ['<a@>'],
  ['<a@b.example:25>'],
  ['<@a.example;u@x.example>'],
  ['<@a.example:>'],
  ['<"a@b.example>'],
  ['<"a"b@c.example>'],
  ['<a@[192.0.2.1>'],
  ['<a@b.example\0>'],
  ['<a\x07@b.example>'],
  ['<a@b\u0085.example>'],
]

describe('A path', () => {
  for (const [argument, full, domain] of PATHS) {
    test(`${JSON.stringify(argument)} is ${full ?? 'none'}, its domain ${domain ?? 'none'}`, () => {
      for (const [command, addressOf] of [
        ['MAIL FROM:', senderOf],
        ['mail from:', senderOf],
        ['RCPT TO:', recipientOf],
        ['Rcpt \t To :', recipientOf],
      ] as const) {
        for (const ending of ['\r\n', '\n', '']) {
          const line = Buffer.from(`${command}${argument}${ending}`)
          assert.equal(addressOf(line, 'full'), full, command)
          assert.equal(addressOf(line, 'domain'), domain, command)
          assert.equal(addressOf(line, 'none'), undefined, command)
        }
      }
    })
  }

  test('that is null is a sender, but not a recipient', () => {
    for (const scope of ['full', 'domain'] as const) {
      assert.equal(senderOf(Buffer.from('MAIL FROM:<> SIZE=1\r\n'), scope), '')
      assert.equal(recipientOf(Buffer.from('RCPT TO:<>\r\n'), scope), undefined)
    }
    assert.equal(senderOf(Buffer.from('MAIL FROM:<>\r\n'), 'none'), undefined)
  })

  test('has at most 256 bytes, including its brackets', () => {
    const path = (bytes: number) => `<${'a'.repeat(bytes - '<@b.example>'.length)}@b.example>`
    assert.equal(senderOf(Buffer.from(`MAIL FROM:${path(256)}\r\n`), 'domain'), 'b.example')
    assert.equal(senderOf(Buffer.from(`MAIL FROM:${path(257)}\r\n`), 'domain'), undefined)
    const umlauts = `<${'ü'.repeat(123)}@b.example>`
    assert.equal(Buffer.byteLength(umlauts), 258)
    assert.equal(senderOf(Buffer.from(`MAIL FROM:${umlauts}\r\n`), 'full'), undefined)
  })

  test('that is not UTF-8 is not recorded', () => {
    assert.equal(senderOf(Buffer.from('MAIL FROM:<gr\xfc\xdfe@b.example>\r\n', 'latin1'), 'full'), undefined)
  })

  test('of the other command is not recorded', () => {
    assert.equal(senderOf(Buffer.from('RCPT TO:<a@b.example>\r\n'), 'full'), undefined)
    assert.equal(recipientOf(Buffer.from('MAIL FROM:<a@b.example>\r\n'), 'full'), undefined)
    assert.equal(senderOf(Buffer.from('MAIL <a@b.example>\r\n'), 'full'), undefined)
  })

  test('is read quickly and within its limits, for any text', () => {
    const piece = fc.constantFrom('<', '>', '"', '\\', '@', ',', ':', ' ', '[', ']', 'a', '.', '\u00fc', '\xff')
    const argument = fc.array(piece, { maxLength: 500, size: 'max' }).map((pieces) => pieces.join(''))
    fc.assert(
      fc.property(argument, (text) => {
        const line = Buffer.from(`MAIL FROM:${text}`).subarray(0, 512)
        const [full, domain] = [senderOf(line, 'full'), senderOf(line, 'domain')]
        if (domain) assert.ok(full?.toLowerCase().endsWith(`@${domain}`))
        assert.ok(Buffer.byteLength(full ?? '') <= 254)
      }),
      { numRuns: 20_000 },
    )
  })
})
