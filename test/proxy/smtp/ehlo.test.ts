/** The list of extensions that a client sees: the upstream's own, but for what the policy takes away or adds. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type ClientSecurity, offers, type RewrittenEhlo, rewriteEhlo } from '../../../proxy/smtp/ehlo.ts'
import { ReplyReader } from '../../../proxy/smtp/reply.ts'
import { octets, segmentations } from '../../support/segmentation.ts'

/** Assembles a reply from chunks and rewrites it, as the relay does. */
function rewrite(chunks: readonly Buffer[], security: ClientSecurity): RewrittenEhlo {
  const found: RewrittenEhlo[] = []
  const reader = new ReplyReader()
  for (const chunk of chunks) reader.push(chunk, ({ bytes }) => found.push(rewriteEhlo(bytes, security)))
  assert.equal(found.length, 1, 'one reply')
  return found[0]!
}

/** A reply of lines: `250-` before all but the last, CRLF behind each. */
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
    what: 'in the clear, STARTTLS is added, and the last line stays the last (EHL-02)',
    security: 'starttls-offered',
    from: reply(...AHASEND),
    to: reply(...AHASEND.slice(0, -1), 'STARTTLS', 'AUTH PLAIN'),
    added: ['STARTTLS'],
  },
  {
    what: 'to a list of nothing (EHL-02)',
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
  { what: 'nor inside TLS (EHL-03)', security: 'tls', from: reply(...AHASEND), to: reply(...AHASEND) },
  {
    what: 'inside TLS, the STARTTLS of an upstream that is wrong about it goes (EHL-04)',
    security: 'tls',
    from: reply('h', 'SIZE 1', 'STARTTLS', 'HELP'),
    to: reply('h', 'SIZE 1', 'HELP'),
    removed: ['STARTTLS'],
  },
  {
    what: 'when the last line goes, the mark of the last line moves (EHL-05)',
    security: 'tls',
    from: reply('h', 'SIZE 1', 'STARTTLS'),
    to: reply('h', 'SIZE 1'),
    removed: ['STARTTLS'],
  },
  {
    what: 'to the first line, when nothing else is left (EHL-06)',
    security: 'tls',
    from: reply('h', 'STARTTLS'),
    to: reply('h'),
    removed: ['STARTTLS'],
  },
  {
    what: 'STARTTLS in any letters, with blanks behind it, as often as it stands there (EHL-07)',
    security: 'tls',
    from: reply('h', 'StartTls ', 'STARTTLS\t', 'starttls', 'HELP'),
    to: reply('h', 'HELP'),
    removed: ['STARTTLS', 'STARTTLS', 'STARTTLS'],
  },
  {
    what: 'the first line is a name, whatever it says (EHL-08)',
    security: 'tls',
    from: reply('STARTTLS.example.net greets you', 'SIZE'),
    to: reply('STARTTLS.example.net greets you', 'SIZE'),
  },
  {
    what: 'also when it is a keyword (EHL-08)',
    security: 'plain',
    from: reply('XCLIENT', 'SIZE'),
    to: reply('XCLIENT', 'SIZE'),
  },
  {
    what: 'and offers nothing (EHL-08)',
    security: 'tls',
    from: reply('CHUNKING at your service', 'BINARYMIME', 'SIZE'),
    to: reply('CHUNKING at your service', 'SIZE'),
    removed: ['BINARYMIME'],
  },
  {
    what: 'where STARTTLS is required, AUTH is not offered before it, in either spelling (EHL-09)',
    security: 'starttls-required',
    from: BOTH_AUTHS,
    to: reply('h', 'STARTTLS', 'SIZE'),
    removed: ['AUTH', 'AUTH'],
    added: ['STARTTLS'],
  },
  { what: 'and inside TLS it is (EHL-09)', security: 'tls', from: BOTH_AUTHS, to: BOTH_AUTHS },
  { what: 'elsewhere AUTH is offered in the clear (EHL-10)', security: 'plain', from: BOTH_AUTHS, to: BOTH_AUTHS },
  {
    what: 'mechanisms that do not survive the end of TLS go (EHL-11)',
    security: 'tls',
    from: reply('h', 'AUTH GSSAPI DIGEST-MD5 EXTERNAL PLAIN', 'SIZE'),
    to: reply('h', 'AUTH PLAIN', 'SIZE'),
    removed: ['GSSAPI', 'DIGEST-MD5', 'EXTERNAL'],
  },
  {
    what: 'channel bindings too, reported by their family (EHL-11)',
    security: 'tls',
    from: reply('h', 'AUTH SCRAM-SHA-256-PLUS scram-sha-1-plus GS2-KRB5 LOGIN', 'auth=external PLAIN'),
    to: reply('h', 'AUTH LOGIN', 'auth=PLAIN'),
    removed: ['*-PLUS', '*-PLUS', 'GS2-*', 'EXTERNAL'],
  },
  {
    what: 'and the line with them when nothing is left (EHL-11)',
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
    what: 'names that only begin or end like those stay (EHL-11)',
    security: 'tls',
    from: reply('h', 'AUTH EXTERNALX XGSSAPI PLUS'),
    to: reply('h', 'AUTH EXTERNALX XGSSAPI PLUS'),
  },
  ...(['tls', 'plain'] as const).map((security) => ({
    what: `what hands trust or roles to the client goes (${security}) (EHL-12)`,
    security,
    from: reply('h', ...TRUSTING, 'SIZE'),
    to: reply('h', 'SIZE'),
    removed: TRUSTING.map((line) => line.split(' ')[0]!),
  })),
  {
    what: 'what is unknown passes (EHL-13)',
    security: 'plain',
    from: reply('h', 'X-FUTURE 1', 'XCLIENTS', 'X', 'ETRN-X'),
    to: reply('h', 'X-FUTURE 1', 'XCLIENTS', 'X', 'ETRN-X'),
  },
  {
    what: 'CHUNKING and BINARYMIME pass together (EHL-14)',
    security: 'tls',
    from: reply('h', 'BINARYMIME', 'CHUNKING'),
    to: reply('h', 'BINARYMIME', 'CHUNKING'),
  },
  {
    what: 'BINARYMIME alone does not (EHL-14)',
    security: 'tls',
    from: reply('h', '8BITMIME', 'BINARYMIME'),
    to: reply('h', '8BITMIME'),
    removed: ['BINARYMIME'],
  },
  {
    what: 'REQUIRETLS goes where the path is not all TLS (EHL-15)',
    security: 'plain',
    from: reply('h', 'REQUIRETLS', 'SIZE'),
    to: reply('h', 'SIZE'),
    removed: ['REQUIRETLS'],
  },
  {
    what: 'and stays where it is (EHL-15)',
    security: 'tls',
    from: reply('h', 'REQUIRETLS'),
    to: reply('h', 'REQUIRETLS'),
  },
  ...['SIZE', 'SIZE 0', 'SIZE 20971520', 'LIMITS RCPTMAX=50 MAILMAX=10000'].map((line) => ({
    what: `${line} keeps its octets (EHL-16)`,
    security: 'tls' as const,
    from: reply('h', line, 'HELP'),
    to: reply('h', line, 'HELP'),
  })),
  {
    what: 'lines that end in LF alone keep it (EHL-23)',
    security: 'tls',
    from: '250-h\n250-STARTTLS\n250-SIZE\n250 HELP\n',
    to: '250-h\n250-SIZE\n250 HELP\n',
    removed: ['STARTTLS'],
  },
  {
    what: 'also when STARTTLS is added (EHL-23)',
    security: 'starttls-offered',
    from: '250-h\n250 SIZE\n',
    to: '250-h\n250-STARTTLS\r\n250 SIZE\n',
    added: ['STARTTLS'],
  },
  {
    what: 'octets above 127, NUL and bare CR are kept (EHL-26)',
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
    what: 'a keyword that only JavaScript takes for STARTTLS stays (R9)',
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
    what: 'a first line that is only a code gets its dash',
    security: 'starttls-offered',
    from: '250\r\n',
    to: '250-\r\n250 STARTTLS\r\n',
    added: ['STARTTLS'],
  },
  {
    what: 'a reply with another code in it is not ours to change',
    security: 'tls',
    from: '250-h\r\n550-STARTTLS\r\n250 SIZE\r\n',
    to: '250-h\r\n550-STARTTLS\r\n250 SIZE\r\n',
  },
]

describe('The EHLO reply, wherever the network cut it', () => {
  for (const { what, security, from, to, removed = [], added = [] } of CASES) {
    test(what, () => {
      for (const { how, chunks } of segmentations(octets(from))) {
        const got = rewrite(chunks, security)
        assert.equal(got.bytes.toString('latin1'), to, how)
        assert.deepEqual({ removed: got.removed, added: got.added }, { removed, added }, how)
      }
    })
  }

  test('is the same buffer when nothing changed, so that nothing is copied', () => {
    const bytes = octets(reply(...AHASEND))
    assert.equal(rewriteEhlo(bytes, 'tls').bytes, bytes)
  })

  test('of 900 lines costs no more than its octets (EHL-22)', () => {
    const bytes = octets(reply('h', ...Array.from({ length: 899 }, (_, index) => `X-${index} ${'x'.repeat(60)}`)))
    const began = performance.now()
    for (let times = 0; times < 50; times += 1) rewriteEhlo(bytes, 'starttls-offered')
    assert.ok(performance.now() - began < 1000)
  })
})

describe('An extension is offered', () => {
  const cases: readonly (readonly [what: string, text: string, offered: boolean])[] = [
    ['in upper case', reply('h', 'CHUNKING'), true],
    ['in any letters, with an argument', reply('h', 'SIZE', 'Chunking x'), true],
    ['in another line', reply('h', 'X CHUNKING'), false],
    ['in the first line', reply('CHUNKING', 'SIZE'), false],
    ['as the start of another', reply('h', 'CHUNKINGS'), false],
    ['not at all', reply('h'), false],
  ]
  for (const [what, text, offered] of cases) {
    test(`${what}: ${offered}`, () => assert.equal(offers(octets(text), 'CHUNKING'), offered))
  }
})
