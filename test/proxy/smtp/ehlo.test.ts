/** The list of extensions that a client sees: the upstream's own, with the removals and additions of the policy. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type ClientSecurity, offers, type RewrittenEhlo, rewriteEhlo } from '../../../proxy/smtp/ehlo.ts'
import { ReplyReader } from '../../../proxy/smtp/reply.ts'
import { latin1, segmentations } from '../../support/sockets/segmentation.ts'

/** Assembles a reply from chunks and rewrites it, as the relay does. */
function rewrite(chunks: readonly Buffer[], security: ClientSecurity): RewrittenEhlo {
  const found: RewrittenEhlo[] = []
  const reader = new ReplyReader()
  for (const chunk of chunks) reader.push(chunk, ({ bytes }) => found.push(rewriteEhlo(bytes, security)))
  assert.equal(found.length, 1, 'one reply')
  return found[0]!
}

/** A reply of these lines: `250-` before all but the last, and CRLF after each. */
function reply(...lines: readonly string[]): string {
  return lines.map((line, index) => `250${index < lines.length - 1 ? '-' : ' '}${line}\r\n`).join('')
}

interface Case {
  readonly what: string
  readonly security: ClientSecurity
  readonly from: string
  readonly to: string
  readonly removed?: readonly string[]
  readonly added?: readonly string[]
}

const AHASEND = ['mail.example', 'PIPELINING', 'ENHANCEDSTATUSCODES', '8BITMIME', 'SMTPUTF8', 'AUTH PLAIN'] as const
const BOTH_AUTHS = reply('h', 'AUTH PLAIN LOGIN', 'AUTH=PLAIN LOGIN', 'SIZE')
const TRUSTING = [
  'XCLIENT NAME ADDR',
  'XFORWARD',
  'XEXCH50',
  'X-LINK2STATE',
  'ATRN',
  'ETRN',
  'TURN',
  'BURL imap',
  'CHECKPOINT',
]

const CASES: readonly Case[] = [
  {
    what: 'before TLS, STARTTLS is added, and the last line stays the last (EHL-02)',
    security: 'starttls-offered',
    from: reply(...AHASEND),
    to: reply(...AHASEND.slice(0, -1), 'STARTTLS', 'AUTH PLAIN'),
    added: ['STARTTLS'],
  },
  {
    what: 'STARTTLS is added to an empty list (EHL-02)',
    security: 'starttls-offered',
    from: reply('h'),
    to: reply('h', 'STARTTLS'),
    added: ['STARTTLS'],
  },
  {
    what: 'without a certificate nothing changes (EHL-03)',
    security: 'plain',
    from: reply(...AHASEND),
    to: reply(...AHASEND),
  },
  { what: 'inside TLS nothing changes (EHL-03)', security: 'tls', from: reply(...AHASEND), to: reply(...AHASEND) },
  {
    what: 'inside TLS, a STARTTLS of the upstream is removed (EHL-04)',
    security: 'tls',
    from: reply('h', 'SIZE 1', 'STARTTLS', 'HELP'),
    to: reply('h', 'SIZE 1', 'HELP'),
    removed: ['STARTTLS'],
  },
  {
    what: 'if the last line is removed, its separator moves to the previous line (EHL-05)',
    security: 'tls',
    from: reply('h', 'SIZE 1', 'STARTTLS'),
    to: reply('h', 'SIZE 1'),
    removed: ['STARTTLS'],
  },
  {
    what: 'or to the first line, if no other line is left (EHL-06)',
    security: 'tls',
    from: reply('h', 'STARTTLS'),
    to: reply('h'),
    removed: ['STARTTLS'],
  },
  {
    what: 'STARTTLS is removed in any case, with blanks after it, and several times (EHL-07)',
    security: 'tls',
    from: reply('h', 'StartTls ', 'STARTTLS\t', 'starttls', 'HELP'),
    to: reply('h', 'HELP'),
    removed: ['STARTTLS', 'STARTTLS', 'STARTTLS'],
  },
  {
    what: 'the first line is a name, not a keyword (EHL-08)',
    security: 'tls',
    from: reply('STARTTLS.example.net greets you', 'SIZE'),
    to: reply('STARTTLS.example.net greets you', 'SIZE'),
  },
  {
    what: 'even if it looks like a keyword (EHL-08)',
    security: 'plain',
    from: reply('XCLIENT', 'SIZE'),
    to: reply('XCLIENT', 'SIZE'),
  },
  {
    what: 'and it offers no extension (EHL-08)',
    security: 'tls',
    from: reply('CHUNKING at your service', 'BINARYMIME', 'SIZE'),
    to: reply('CHUNKING at your service', 'SIZE'),
    removed: ['BINARYMIME'],
  },
  {
    what: 'if STARTTLS is required, AUTH is removed before TLS, in either spelling (EHL-09)',
    security: 'starttls-required',
    from: BOTH_AUTHS,
    to: reply('h', 'STARTTLS', 'SIZE'),
    removed: ['AUTH', 'AUTH'],
    added: ['STARTTLS'],
  },
  { what: 'and it stays inside TLS (EHL-09)', security: 'tls', from: BOTH_AUTHS, to: BOTH_AUTHS },
  {
    what: 'if STARTTLS is not required, AUTH stays before TLS (EHL-10)',
    security: 'plain',
    from: BOTH_AUTHS,
    to: BOTH_AUTHS,
  },
  {
    what: 'mechanisms that cannot work through the proxy are removed (EHL-11)',
    security: 'tls',
    from: reply('h', 'AUTH GSSAPI DIGEST-MD5 EXTERNAL PLAIN', 'SIZE'),
    to: reply('h', 'AUTH PLAIN', 'SIZE'),
    removed: ['GSSAPI', 'DIGEST-MD5', 'EXTERNAL'],
  },
  {
    what: 'channel bindings are removed, and reported by their family (EHL-11)',
    security: 'tls',
    from: reply('h', 'AUTH SCRAM-SHA-256-PLUS scram-sha-1-plus GS2-KRB5 LOGIN', 'auth=external PLAIN'),
    to: reply('h', 'AUTH LOGIN', 'auth=PLAIN'),
    removed: ['*-PLUS', '*-PLUS', 'GS2-*', 'EXTERNAL'],
  },
  {
    what: 'the AUTH line is removed if no mechanism is left (EHL-11)',
    security: 'starttls-offered',
    from: reply('h', 'SIZE', 'AUTH GSSAPI'),
    to: reply('h', 'STARTTLS', 'SIZE'),
    removed: ['GSSAPI'],
    added: ['STARTTLS'],
  },
  {
    what: 'an AUTH without mechanisms stays (EHL-11)',
    security: 'tls',
    from: reply('h', 'AUTH'),
    to: reply('h', 'AUTH'),
  },
  {
    what: 'names that only begin or end like removed ones stay (EHL-11)',
    security: 'tls',
    from: reply('h', 'AUTH EXTERNALX XGSSAPI PLUS'),
    to: reply('h', 'AUTH EXTERNALX XGSSAPI PLUS'),
  },
  ...(['tls', 'plain'] as const).map((security) => ({
    what: `extensions that give the client trust or another role are removed (${security}) (EHL-12)`,
    security,
    from: reply('h', ...TRUSTING, 'SIZE'),
    to: reply('h', 'SIZE'),
    removed: TRUSTING.map((line) => line.split(' ')[0]!),
  })),
  {
    what: 'unknown keywords stay (EHL-13)',
    security: 'plain',
    from: reply('h', 'X-FUTURE 1', 'XCLIENTS', 'X', 'ETRN-X'),
    to: reply('h', 'X-FUTURE 1', 'XCLIENTS', 'X', 'ETRN-X'),
  },
  {
    what: 'BINARYMIME stays with CHUNKING (EHL-14)',
    security: 'tls',
    from: reply('h', 'BINARYMIME', 'CHUNKING'),
    to: reply('h', 'BINARYMIME', 'CHUNKING'),
  },
  {
    what: 'BINARYMIME is removed without CHUNKING (EHL-14)',
    security: 'tls',
    from: reply('h', '8BITMIME', 'BINARYMIME'),
    to: reply('h', '8BITMIME'),
    removed: ['BINARYMIME'],
  },
  {
    what: 'REQUIRETLS is removed before TLS (EHL-15)',
    security: 'plain',
    from: reply('h', 'REQUIRETLS', 'SIZE'),
    to: reply('h', 'SIZE'),
    removed: ['REQUIRETLS'],
  },
  {
    what: 'REQUIRETLS stays inside TLS (EHL-15)',
    security: 'tls',
    from: reply('h', 'REQUIRETLS'),
    to: reply('h', 'REQUIRETLS'),
  },
  ...['SIZE', 'SIZE 0', 'SIZE 20971520', 'LIMITS RCPTMAX=50 MAILMAX=10000'].map((line) => ({
    what: `${line} keeps its bytes (EHL-16)`,
    security: 'tls' as const,
    from: reply('h', line, 'HELP'),
    to: reply('h', line, 'HELP'),
  })),
  {
    what: 'lines that end in a bare LF keep it (EHL-23)',
    security: 'tls',
    from: '250-h\n250-STARTTLS\n250-SIZE\n250 HELP\n',
    to: '250-h\n250-SIZE\n250 HELP\n',
    removed: ['STARTTLS'],
  },
  {
    what: 'lines that end in a bare LF keep it if STARTTLS is added (EHL-23)',
    security: 'starttls-offered',
    from: '250-h\n250 SIZE\n',
    to: '250-h\n250-STARTTLS\r\n250 SIZE\n',
    added: ['STARTTLS'],
  },
  {
    what: 'bytes above 127, NUL and bare CR are kept (EHL-26)',
    security: 'tls',
    from: reply(
      'h\u0080\u00ff',
      'X-\u00c3\u00a9 \0\r\u2028'.replace('\u2028', '\u00e2\u0080\u00a8'),
      'STARTTLS',
      '8BITMIME',
    ),
    to: reply('h\u0080\u00ff', 'X-\u00c3\u00a9 \0\r\u00e2\u0080\u00a8', '8BITMIME'),
    removed: ['STARTTLS'],
  },
  {
    what: 'a keyword that only JavaScript folds to STARTTLS stays (R9)',
    security: 'tls',
    from: reply('h', Buffer.from('\u017ftarttls').toString('latin1'), 'X\rSTARTTLS', 'SIZE'),
    to: reply('h', Buffer.from('\u017ftarttls').toString('latin1'), 'X\rSTARTTLS', 'SIZE'),
  },
  {
    what: 'a last line that is only a code stays the last',
    security: 'starttls-offered',
    from: '250-h\r\n250\r\n',
    to: '250-h\r\n250-STARTTLS\r\n250\r\n',
    added: ['STARTTLS'],
  },
  {
    what: 'a first line that is only a code gets a dash',
    security: 'starttls-offered',
    from: '250\r\n',
    to: '250-\r\n250 STARTTLS\r\n',
    added: ['STARTTLS'],
  },
  {
    what: 'a reply that contains another code is not changed',
    security: 'tls',
    from: '250-h\r\n550-STARTTLS\r\n250 SIZE\r\n',
    to: '250-h\r\n550-STARTTLS\r\n250 SIZE\r\n',
  },
]

describe('The EHLO reply, for all chunks', () => {
  for (const { what, security, from, to, removed = [], added = [] } of CASES) {
    test(what, () => {
      for (const { how, chunks } of segmentations(latin1(from))) {
        const got = rewrite(chunks, security)
        assert.equal(got.bytes.toString('latin1'), to, how)
        assert.deepEqual({ removed: got.removed, added: got.added }, { removed, added }, how)
      }
    })
  }

  test('is the same buffer if nothing changed, so that nothing is copied', () => {
    const bytes = latin1(reply(...AHASEND))
    assert.equal(rewriteEhlo(bytes, 'tls').bytes, bytes)
  })

  test('of 900 lines takes linear time (EHL-22)', () => {
    const bytes = latin1(reply('h', ...Array.from({ length: 899 }, (_, index) => `X-${index} ${'x'.repeat(60)}`)))
    const began = performance.now()
    for (let times = 0; times < 50; times += 1) rewriteEhlo(bytes, 'starttls-offered')
    assert.ok(performance.now() - began < 1000)
  })
})

describe('An extension is offered', () => {
  const cases: readonly (readonly [what: string, text: string, offered: boolean])[] = [
    ['in upper case', reply('h', 'CHUNKING'), true],
    ['in any case, with an argument', reply('h', 'SIZE', 'Chunking x'), true],
    ['in another line', reply('h', 'X CHUNKING'), false],
    ['in the first line', reply('CHUNKING', 'SIZE'), false],
    ['as the start of another', reply('h', 'CHUNKINGS'), false],
    ['not at all', reply('h'), false],
  ]
  for (const [what, text, offered] of cases) {
    test(`${what}: ${offered}`, () => assert.equal(offers(latin1(text), 'CHUNKING'), offered))
  }
})
