/** The grammar of command lines. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Framing } from '../../../proxy/dialogue/framing.ts'
import {
  type Chunk,
  chunkOf,
  hasArgument,
  hasControls,
  isHttp,
  mechanismOf,
  type Verb,
  verbOf,
} from '../../../proxy/smtp/command.ts'
import { latin1, segmentations } from '../../support/sockets/segmentation.ts'

const VERBS = (
  'EHLO HELO LHLO STARTTLS AUTH MAIL RCPT DATA BDAT RSET NOOP VRFY EXPN HELP QUIT ETRN ATRN TURN SEND SOML SAML VERB ' +
  'ONEX BURL XCLIENT XFORWARD'
).split(' ') as Verb[]

/** Lines without their line end, and their verb. */
const LINES: readonly (readonly [line: string, verb: Verb])[] = [
  ['EHLO app.example', 'EHLO'],
  ['eHlO  Foo.Example  ', 'EHLO'],
  ['StartTLS', 'STARTTLS'],
  ['STARTTLS now', 'STARTTLS'],
  ['MAIL FROM:<a@b.example>', 'MAIL'],
  // AhaSend's own example has a blank after the colon, which RFC 5321 4.1.1.2 does not allow
  ['MAIL FROM: <a@b.example>', 'MAIL'],
  ['RCPT TO: <c@d.example>', 'RCPT'],
  ['NOOP\targument', 'NOOP'],
  ['QUIT ', 'QUIT'],
  ['NOOP \u00ff\u00fe\u0000', 'NOOP'],
  ['MAIL FROM:<\u00c3\u00a9@b.example> SMTPUTF8', 'MAIL'],
  ['', ''],
  [' EHLO app', 'UNKNOWN'],
  ['\tQUIT', 'UNKNOWN'],
  [' ', 'UNKNOWN'],
  ['FOO bar', 'UNKNOWN'],
  ['EHL', 'UNKNOWN'],
  ['EHLOX app', 'UNKNOWN'],
  ['STARTTLSX', 'UNKNOWN'],
  ['STARTTLSSTARTTLS', 'UNKNOWN'],
  ['XFORWARDS', 'UNKNOWN'],
  ['MAIL:FROM', 'UNKNOWN'],
  ['D4TA', 'UNKNOWN'],
  ['DATA\0', 'UNKNOWN'],
  ['DA\0TA', 'UNKNOWN'],
  ['\0', 'UNKNOWN'],
  ['\u00ffEHLO', 'UNKNOWN'],
  ['EHLO\u00ff', 'UNKNOWN'],
  // a bare CR is data (RFC 5321 2.3.8), and ends neither a line nor a word
  ['DATA\rX', 'UNKNOWN'],
  ['DATA\r', 'UNKNOWN'],
  ['X\rDATA', 'UNKNOWN'],
  ['NOOP a\rQUIT', 'NOOP'],
]

/**
 * Characters that JavaScript's text functions treat differently: U+017F in upper case is S, `/u` folds it as well, and
 * `\s` and `.` know more line ends and blanks than SMTP. Encoded as UTF-8, as they would arrive.
 */
const TRAPS = ['\u017fTARTTLS', '\u017ftarttls', 'R\u017fET', 'QU\u0131T', '\ufeffQUIT', '\uff31\uff35\uff29\uff34']
const NO_BLANKS = ['\u0085', '\u00a0', '\u2028', '\u2029', '\u3000', '\v', '\f', '\u001c']

function utf8(text: string): string {
  return Buffer.from(text).toString('latin1')
}

const ALL_LINES: typeof LINES = [
  ...VERBS.map((verb) => [verb, verb] as const),
  ...VERBS.map((verb) => [verb.toLowerCase(), verb] as const),
  ...VERBS.map((verb) => [`${verb}${verb}`, 'UNKNOWN'] as const),
  ...LINES,
  ...TRAPS.map((line) => [utf8(line), 'UNKNOWN'] as const),
  ...NO_BLANKS.map((blank) => [`QUIT${utf8(blank)}`, 'UNKNOWN'] as const),
  ...NO_BLANKS.map((blank) => [`${utf8(blank)}QUIT`, 'UNKNOWN'] as const),
]

describe('The verb of a command line', () => {
  for (const [line, verb] of ALL_LINES) {
    test(`${JSON.stringify(line)} is ${verb || 'empty'}`, () => {
      assert.equal(verbOf(latin1(`${line}\r\n`)), verb, 'with CRLF')
      if (!line.endsWith('\r')) assert.equal(verbOf(latin1(`${line}\n`)), verb, 'with LF alone')
    })
  }

  test('the head of a long line is enough', () => {
    for (const length of [512, 1000, 2048, 65_536]) assert.equal(verbOf(latin1(`MAIL ${'x'.repeat(length)}`)), 'MAIL')
    assert.equal(verbOf(latin1('x'.repeat(65_536))), 'UNKNOWN')
  })
})

/** The commands that the framing finds in a stream, and whether a line is unfinished. */
function commandsIn(chunks: readonly Buffer[]): { commands: [Verb, Chunk | undefined][]; inLine: boolean } {
  const commands: [Verb, Chunk | undefined][] = []
  const framing = new Framing({
    command: (verb, _line, chunk) => {
      commands.push([verb, chunk])
      if (framing.phase !== 'chunk') framing.next('command')
    },
    saslResponse: () => assert.fail('no AUTH was asked'),
    endOfBody: () => assert.fail('no body was begun'),
    overflow: () => assert.fail('nothing is held'),
  })
  framing.chunking = true
  for (const chunk of chunks) {
    framing.push(chunk, 0)
    framing.release()
  }
  return { commands, inLine: framing.inLine }
}

describe('A stream of commands is split at its line feeds, for all chunks', () => {
  for (const ending of ['\r\n', '\n']) {
    test(`every line of the table, one after the other, ending in ${JSON.stringify(ending)}`, () => {
      const lines = ALL_LINES.filter(([line]) => ending === '\r\n' || !line.endsWith('\r'))
      for (const [line, verb] of lines) {
        const stream = latin1(`NOOP${ending}${line}${ending}QUIT${ending}`)
        const expected = { commands: (['NOOP', verb, 'QUIT'] as Verb[]).map(withoutChunk), inLine: false }
        for (const { how, chunks } of segmentations(stream)) assert.deepEqual(commandsIn(chunks), expected, how)
      }
    })
  }

  test('an unfinished line is not a command', () => {
    for (const { how, chunks } of segmentations(latin1('NOOP\r\nQUIT\r'))) {
      assert.deepEqual(commandsIn(chunks), { commands: [withoutChunk('NOOP')], inLine: true }, how)
    }
  })

  test('a line of 64 KiB is one command', () => {
    const stream = latin1(`MAIL FROM:<a@b>${' '.repeat(65_536)}\r\nQUIT\r\n`)
    for (const { how, chunks } of segmentations(stream)) {
      assert.deepEqual(commandsIn(chunks).commands, (['MAIL', 'QUIT'] as Verb[]).map(withoutChunk), how)
    }
  })

  test('the chunk of a BDAT is not a command', () => {
    const stream = latin1('BDAT 18\r\nQUIT\r\nSTARTTLS\r\n\r\nBDAT 0 LAST\r\nQUIT\r\n')
    const expected = [['BDAT', { size: 18, last: false }], ['BDAT', { size: 0, last: true }], withoutChunk('QUIT')]
    for (const { how, chunks } of segmentations(stream)) assert.deepEqual(commandsIn(chunks).commands, expected, how)
  })
})

function withoutChunk(verb: Verb): [Verb, undefined] {
  return [verb, undefined]
}

describe('A command line has an argument', () => {
  const cases: readonly (readonly [line: string, has: boolean])[] = [
    ['STARTTLS\r\n', false],
    ['STARTTLS\n', false],
    ['STARTTLS', false],
    ['STARTTLS \t \r\n', false],
    ['STARTTLS now\r\n', true],
    ['STARTTLS\tnow\n', true],
    ['STARTTLS \r \r\n', true],
    ['STARTTLS \0\r\n', true],
    ['\r\n', false],
    ['', false],
  ]
  for (const [line, has] of cases) {
    test(`${JSON.stringify(line)}: ${has}`, () => assert.equal(hasArgument(latin1(line)), has))
  }
})

describe('A command line has control characters', () => {
  const cases: readonly (readonly [line: string, has: boolean])[] = [
    ['NOOP\r\n', false],
    ['NOOP\n', false],
    ['NOOP', false],
    ['NOOP \t x\r\n', false],
    ['NOOP \u0080\u00ff\u007f\r\n', false],
    ['NOOP x\rQUIT\r\n', true],
    ['NOOP x\r\r\n', true],
    ['NOOP \0\r\n', true],
    ['NOOP \v\f\r\n', true],
  ]
  for (const [line, has] of cases) {
    test(`${JSON.stringify(line)}: ${has}`, () => assert.equal(hasControls(latin1(line)), has))
  }
})

describe('The mechanism of an AUTH line', () => {
  const cases: readonly (readonly [line: string, mechanism: string])[] = [
    ['AUTH PLAIN AGpvZQBzZWNyZXQ=\r\n', 'PLAIN'],
    ['auth plain\r\n', 'PLAIN'],
    ['AUTH  LOGIN\n', 'LOGIN'],
    ['AUTH\tCRAM-MD5\r\n', 'CRAM-MD5'],
    ['AUTH xoauth2 dXNlcg==\r\n', 'XOAUTH2'],
    ['AUTH SCRAM-SHA-256 biws\r\n', 'SCRAM-SHA-256'],
    [`AUTH PLAIN ${'x'.repeat(12_288)}\r\n`, 'PLAIN'],
    ['AUTH\r\n', 'OTHER'],
    ['AUTH \r\n', 'OTHER'],
    // a client that omits the mechanism sends its secret there
    ['AUTH AGpvZQBzZWNyZXQ=\r\n', 'OTHER'],
    ['AUTH PLAINX\r\n', 'OTHER'],
    ['AUTH P\0AIN\r\n', 'OTHER'],
    ['AUTH PLAIN\rX\r\n', 'OTHER'],
    [utf8('AUTH XOAUTH\u00b2\r\n'), 'OTHER'],
    [utf8('AUTH GS\u017fAPI\r\n'), 'OTHER'],
  ]
  for (const [line, mechanism] of cases) {
    test(`${JSON.stringify(line.slice(0, 40))} is ${mechanism}`, () => {
      assert.equal(mechanismOf(latin1(line)), mechanism)
    })
  }
})

describe('The chunk that a BDAT line announces (RFC 3030 2)', () => {
  const cases: readonly (readonly [line: string, chunk: Chunk | undefined])[] = [
    ['BDAT 1000\r\n', { size: 1000, last: false }],
    ['BDAT 1000 LAST\r\n', { size: 1000, last: true }],
    ['bdat 10 last\n', { size: 10, last: true }],
    ['BDAT  10\tLAST  \r\n', { size: 10, last: true }],
    ['BDAT 0\r\n', { size: 0, last: false }],
    ['BDAT 0 LAST\r\n', { size: 0, last: true }],
    ['BDAT 0000000000010\r\n', { size: 10, last: false }],
    ['BDAT 20971520 LAST\r\n', { size: 20_971_520, last: true }],
    ['BDAT 1099511627776\r\n', { size: 2 ** 40, last: false }],
    ['BDAT 1099511627777\r\n', undefined],
    ['BDAT\r\n', undefined],
    ['BDAT \r\n', undefined],
    ['BDAT LAST\r\n', undefined],
    ['BDAT 5 NOTLAST\r\n', undefined],
    ['BDAT 5 LAST x\r\n', undefined],
    ['BDAT 5LAST\r\n', undefined],
    ['BDAT x\r\n', undefined],
    ['BDAT -1\r\n', undefined],
    ['BDAT +5\r\n', undefined],
    ['BDAT 5 5\r\n', undefined],
    // text that Number() would accept: more digits than a double holds, hexadecimal, exponents, fractions
    ['BDAT 9007199254740993\r\n', undefined],
    ['BDAT 18446744073709551616\r\n', undefined],
    ['BDAT 0x10\r\n', undefined],
    ['BDAT 1e3\r\n', undefined],
    ['BDAT 5.0\r\n', undefined],
    ['BDAT Infinity\r\n', undefined],
    [utf8('BDAT \u0665\r\n'), undefined],
    [utf8('BDAT 5 LA\u017fT\r\n'), undefined],
    // a bare CR does not end a line, although `.` and `$` treat it as a line end
    ['BDAT 5\r6\r\n', undefined],
    ['BDAT 5\rLAST\r\n', undefined],
    ['BDAT 5\r\r\n', undefined],
    ['BDAT 5\v\r\n', undefined],
    [utf8('BDAT\u00a05\r\n'), undefined],
    ['BDAT 5\0\r\n', undefined],
  ]
  for (const [line, chunk] of cases) {
    const what = chunk ? `${chunk.size}${chunk.last ? ', the last' : ''}` : 'unknown'
    test(`${JSON.stringify(line)}: ${what}`, () => assert.deepEqual(chunkOf(latin1(line)), chunk))
  }
})

describe('An HTTP request is distinguished from a command', () => {
  const long = `/${'a'.repeat(4000)}`
  const cases: readonly (readonly [line: string, http: boolean])[] = [
    ['GET / HTTP/1.1\r\n', true],
    ['POST /path?q=EHLO HTTP/1.0\n', true],
    ['OPTIONS * HTTP/1.1\r\n', true],
    ['CONNECT mail.example:25 HTTP/1.1\r\n', true],
    ['PUT http://mail.example/ HTTP/1.1\r\n', true],
    // a web page chooses the path, so a long path must not hide the request
    [`POST ${long} HTTP/1.1\r\n`, true],
    [`POST ${long}`, true],
    ['GET\r\n', false],
    ['GET mail\r\n', false],
    ['get / HTTP/1.1\r\n', false],
    ['HELP / HTTP/1.1\r\n', false],
    ['FOO / HTTP/1.1\r\n', false],
    ['MAIL FROM:<a@b> HTTP/1.1\r\n', false],
    [' GET / HTTP/1.1\r\n', false],
    ['\r\n', false],
  ]
  for (const [line, http] of cases) {
    test(`${JSON.stringify(line.slice(0, 40))}${line.length > 40 ? `... (${line.length})` : ''}: ${http}`, () =>
      assert.equal(isHttp(latin1(line)), http))
  }
})
