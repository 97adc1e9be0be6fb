/** EHL-24: random EHLO replies, rewritten by the product and by an independent implementation. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { type ClientSecurity, rewriteEhlo } from '../../../proxy/smtp/ehlo.ts'
import { ReplyReader } from '../../../proxy/smtp/reply.ts'
import { cutAtAll, latin1 } from '../../support/sockets/segmentation.ts'

const SECURITIES: readonly ClientSecurity[] = ['tls', 'plain', 'starttls-offered', 'starttls-required']

/** Assembles a reply from chunks and rewrites it, as the relay does. */
function rewrite(chunks: readonly Buffer[], security: ClientSecurity): string {
  const found: string[] = []
  const reader = new ReplyReader()
  for (const chunk of chunks) {
    reader.push(chunk, ({ bytes }) => found.push(rewriteEhlo(bytes, security).bytes.toString('latin1')))
  }
  assert.equal(found.length, 1, 'one reply')
  return found[0]!
}

/**
 * A second implementation of the rewrite: by whole lines of text, without optimisation. It accepts only well-formed
 * replies, as the generator creates them.
 */
function reference(text: string, security: ClientSecurity): string {
  const [first = '', ...rest] = text.match(/[^\n]*\n/g) ?? []
  const keywords = rest.map(
    (line) =>
      line
        .slice(4)
        .trim()
        .toUpperCase()
        .split(/[ \t=]/)[0] ?? '',
  )
  const gone = new Set(['STARTTLS', 'XCLIENT', 'XFORWARD', 'XEXCH50', 'X-LINK2STATE', 'BURL', 'ETRN', 'ATRN', 'TURN'])
  gone.add('CHECKPOINT')
  if (security !== 'tls') gone.add('REQUIRETLS')
  if (security === 'starttls-required') gone.add('AUTH')
  if (!keywords.includes('CHUNKING')) gone.add('BINARYMIME')
  const lines = [first]
  rest.forEach((line, index) => {
    const keyword = keywords[index]!
    if (gone.has(keyword)) return
    const shown = keyword === 'AUTH' ? withoutBadMechanisms(line) : line
    if (shown !== undefined) lines.push(shown)
  })
  if (security.startsWith('starttls')) lines.splice(Math.max(1, lines.length - 1), 0, '250-STARTTLS\r\n')
  return lines.map((line, index) => `250${index === lines.length - 1 ? ' ' : '-'}${line.slice(4)}`).join('')
}

function withoutBadMechanisms(line: string): string | undefined {
  const words = line.trimEnd().slice(9).split(' ')
  const good = words.filter(
    (word) => !/^(GSSAPI|GSS-SPNEGO|KERBEROS_V4|DIGEST-MD5|EXTERNAL|GS2-.*|.*-PLUS)$/i.test(word),
  )
  if (good.length === words.length) return line
  return good.length === 0 ? undefined : `${line.slice(0, 9)}${good.join(' ')}${line.slice(line.trimEnd().length)}`
}

describe('a random EHLO reply (EHL-24)', () => {
  const KEYWORDS =
    'STARTTLS SIZE PIPELINING 8BITMIME SMTPUTF8 CHUNKING BINARYMIME REQUIRETLS XCLIENT XFORWARD ETRN TURN'
  const NAMES = 'PLAIN LOGIN GSSAPI EXTERNAL DIGEST-MD5 SCRAM-SHA-256 SCRAM-SHA-256-PLUS GS2-KRB5 XOAUTH2 KERBEROS_V4'
  const letters = (words: string) => {
    const all = words.split(' ')
    return fc.constantFrom(...all, ...all.map((word) => word.toLowerCase()))
  }
  const argument = fc.constantFrom('', '', ' ', '\t', ' 20971520', ' \u00c3\u00a9\u0000', '=x')
  const plain = fc.tuple(fc.oneof(letters(KEYWORDS), fc.constantFrom('X-FUTURE', '', '\u00ff')), argument)
  const mechanisms = fc.array(letters(NAMES), { minLength: 1, maxLength: 6 })
  const auth = fc
    .tuple(fc.constantFrom('AUTH ', 'AUTH=', 'auth '), mechanisms)
    .map(([head, list]) => head + list.join(' '))
  const line = fc.oneof({ weight: 3, arbitrary: plain.map((parts) => parts.join('')) }, { weight: 1, arbitrary: auth })
  const ending = fc.constantFrom('\r\n', '\r\n', '\r\n', '\n')
  const ehlo = fc
    .tuple(
      fc.constantFrom('mail.example', 'STARTTLS', 'CHUNKING x', ''),
      fc.array(fc.tuple(line, ending), { maxLength: 14 }),
    )
    .map(([name, lines]) => [[name, '\r\n'], ...lines] as const)
    .map((lines) => lines.map(([text, end], at) => `250${at === lines.length - 1 ? ' ' : '-'}${text}${end}`).join(''))
  const cuts = fc.array(fc.nat(), { maxLength: 6 })

  test('is rewritten like the reference, for all chunks (10,000 replies)', () => {
    fc.assert(
      fc.property(ehlo, fc.constantFrom(...SECURITIES), cuts, (text, security, positions) => {
        assert.equal(rewrite(cutAtAll(latin1(text), positions), security), reference(text, security))
      }),
      { numRuns: 10_000 },
    )
  })

  test('does not change if it is rewritten a second time', () => {
    fc.assert(
      fc.property(ehlo, fc.constantFrom(...SECURITIES), (text, security) => {
        const { bytes } = rewriteEhlo(latin1(text), security)
        assert.equal(rewriteEhlo(bytes, security).bytes.toString('latin1'), bytes.toString('latin1'))
      }),
      { numRuns: 10_000 },
    )
  })

  test('keeps the bytes and the order of the lines that stay', () => {
    fc.assert(
      fc.property(ehlo, fc.constantFrom(...SECURITIES), (text, security) => {
        const before = (text.match(/[^\n]*\n/g) ?? []).map((each) => each.slice(4))
        const { bytes } = rewriteEhlo(latin1(text), security)
        const after = (bytes.toString('latin1').match(/[^\n]*\n/g) ?? []).map((each) => each.slice(4))
        let from = 0
        for (const each of after) {
          if (/^STARTTLS\r\n$|^auth/i.test(each)) continue
          from = before.indexOf(each, from) + 1
          assert.notEqual(from, 0, `not of the upstream, or out of order: ${JSON.stringify(each)}`)
        }
      }),
      { numRuns: 5000 },
    )
  })
})
