/** The grammar of replies: where a reply ends, and the content of its last line. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import {
  enhancedCodeOf,
  lastLineText,
  MAX_REPLY_BYTES,
  MAX_REPLY_LINES,
  messageIdsOf,
  type Reply,
  ReplyReader,
} from '../../../proxy/smtp/reply.ts'
import { cutAtAll, latin1, segmentations } from '../../support/sockets/segmentation.ts'

interface Found {
  /** One entry per reply: its bytes and its code. */
  readonly replies: readonly (readonly [text: string, code: number])[]
  readonly unfinished: number
  /** False if the reader reported that a reply is too long. */
  readonly bounded: boolean
}

/** The result of a reader. The replies are compared only at the end, after later chunks were read. */
function read(chunks: readonly Buffer[]): Found {
  const reader = new ReplyReader()
  const replies: Reply[] = []
  const bounded = chunks.every((chunk) => reader.push(chunk, (reply) => replies.push(reply)))
  return {
    replies: replies.map(({ bytes, code }) => [bytes.toString('latin1'), code]),
    unfinished: reader.unfinished,
    bounded,
  }
}

interface Case {
  readonly what: string
  /** The replies in their order; `rest` is the unfinished one after them. */
  readonly replies: readonly (readonly [text: string, code: number])[]
  readonly rest?: string
}

const CASES: readonly Case[] = [
  { what: 'one line', replies: [['250 ok\r\n', 250]] },
  { what: 'LF alone', replies: [['250 ok\n', 250]] },
  { what: 'several lines', replies: [['250-mail.example\r\n250-SIZE\r\n250 HELP\r\n', 250]] },
  {
    what: 'several replies',
    replies: [
      ['250 ok\r\n', 250],
      ['354-go\r\n354 on\r\n', 354],
      ['421 bye\r\n', 421],
    ],
  },
  { what: 'a code alone', replies: [['250\r\n', 250]] },
  { what: 'a code and LF', replies: [['334\n', 334]] },
  { what: 'a code and a blank', replies: [['334 \r\n', 334]] },
  { what: 'empty lines that continue', replies: [['250-\r\n250-\r\n250 \r\n', 250]] },
  { what: 'half a line', replies: [['250 ok\r\n', 250]], rest: '250 o' },
  { what: 'a CR without its LF', replies: [], rest: '250 ok\r' },
  { what: 'a line that continues, and nothing after it', replies: [], rest: '250-ok\r\n' },
  { what: 'nothing', replies: [] },
  { what: 'mixed codes: the last counts', replies: [['250-a\r\n550 b\r\n', 550]] },
  { what: 'a last line without a code', replies: [['250-a\r\nabc\r\n', 0]] },
  { what: 'four digits', replies: [['2500 x\r\n', 0]] },
  { what: 'two digits', replies: [['25 x\r\n', 0]] },
  { what: 'letters', replies: [['abc\r\n', 0]] },
  { what: 'an empty line', replies: [['\r\n', 0]] },
  { what: 'LF alone and nothing else', replies: [['\n', 0]] },
  { what: 'a tab after the code', replies: [['250\tok\r\n', 0]] },
  { what: 'a blank before the code', replies: [[' 250 ok\r\n', 0]] },
  { what: 'codes out of range', replies: ['199', '600', '099', '000', '999'].map((code) => [`${code} x\r\n`, 0]) },
  { what: 'codes at the edge', replies: [200, 299, 399, 499, 599].map((code) => [`${code} x\r\n`, code]) },
  { what: 'a continued code out of range', replies: [['999-a\r\n999 b\r\n', 0]] },
  {
    what: 'text that Number() would accept as a code',
    replies: ['2e2', '+25', '-25', '0x1', '1.5', '  2'].map((code) => [`${code} x\r\n`, 0]),
  },
  { what: 'digits of another script', replies: [[Buffer.from('\u0662\u0665\u0660 x\r\n').toString('latin1'), 0]] },
  { what: 'a bare CR is data', replies: [['250 a\rb\r\r\n', 250]] },
  { what: 'a bare CR does not begin a line', replies: [['250-a\r250 b\r\n250 c\r\n', 250]] },
  { what: 'NUL and bytes above 127', replies: [['250 \0\u0080\u00c3\u00ff\r\n', 250]] },
  {
    what: 'line ends of Unicode are data',
    replies: [[Buffer.from('250-a\u2028250 b\u2029\u0085\v\f\r\n250 c\r\n').toString('latin1'), 250]],
  },
  { what: '2,000 bytes of text', replies: [[`250 ${'x'.repeat(2000)}\r\n`, 250]] },
]

describe('A stream of replies is split after each last line, for all chunks', () => {
  for (const { what, replies, rest = '' } of CASES) {
    test(what, () => {
      const stream = latin1(replies.map(([text]) => text).join('') + rest)
      const expected: Found = { replies, unfinished: rest.length, bounded: true }
      for (const { how, chunks } of segmentations(stream)) assert.deepEqual(read(chunks), expected, how)
    })
  }

  test('a reply does not change while later ones are read', () => {
    const reader = new ReplyReader()
    const replies: Reply[] = []
    for (const part of ['25', '0 first\r\n25', '0 second\r\n', '250 third\r\n2']) {
      reader.push(latin1(part), (reply) => replies.push(reply))
    }
    assert.deepEqual(
      replies.map(({ bytes }) => bytes.toString('latin1')),
      ['250 first\r\n', '250 second\r\n', '250 third\r\n'],
    )
  })
})

describe('A reply is bounded (R2)', () => {
  const atTheLimit = `250 ${'x'.repeat(MAX_REPLY_BYTES - 6)}\r\n`
  const lines = '250-x\r\n'.repeat(MAX_REPLY_LINES - 1)
  const cases: readonly (readonly [what: string, text: string, found: Partial<Found>])[] = [
    [`of ${MAX_REPLY_BYTES} bytes: accepted`, atTheLimit, { replies: [[atTheLimit, 250]], bounded: true }],
    ['of one byte more: refused', `250 x${atTheLimit.slice(4)}`, { replies: [], bounded: false }],
    ['unfinished at the limit: not refused yet', atTheLimit.slice(0, -1), { replies: [], bounded: true }],
    ['unfinished and longer: refused', `250 ${'x'.repeat(MAX_REPLY_BYTES)}`, { replies: [], bounded: false }],
    [
      `of ${MAX_REPLY_LINES} lines: accepted`,
      `${lines}250 x\r\n`,
      { replies: [[`${lines}250 x\r\n`, 250]], bounded: true },
    ],
    ['of one line more: refused', `${lines}250-x\r\n250 x\r\n`, { replies: [], bounded: false }],
    [
      'too long after an accepted one: refused',
      `250 ok\r\n${lines}250-x\r\n250 x\r\n`,
      { replies: [['250 ok\r\n', 250]], bounded: false },
    ],
    [
      'many short ones: accepted',
      '250 ok\r\n'.repeat(20_000),
      { replies: Array.from({ length: 20_000 }, () => ['250 ok\r\n', 250] as const), bounded: true },
    ],
  ]
  for (const [what, text, expected] of cases) {
    test(what, () => {
      for (const size of [text.length, 1, 3, 4096]) {
        const { replies, bounded } = read(cutInto(latin1(text), size))
        assert.deepEqual({ replies, bounded }, expected, `chunks of ${size}`)
      }
    })
  }

  test('that arrives byte by byte takes linear time', () => {
    const chunks = cutInto(latin1(atTheLimit), 1)
    const began = performance.now()
    for (let times = 0; times < 4; times += 1) read(chunks)
    assert.ok(performance.now() - began < 2000, 'a reader that copied everything for each byte would need a minute')
  })
})

function cutInto(bytes: Buffer, size: number): Buffer[] {
  return Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) =>
    bytes.subarray(index * size, (index + 1) * size),
  )
}

describe('For any bytes of an upstream (BYT-11)', () => {
  /** Mostly parts of replies, so that lines, codes and continuations are frequent. */
  const stream = fc
    .array(fc.constantFrom('2', '5', '0', '250', '250-', '354 ', '-', ' ', 'x', '\r', '\n', '\r\n', '\0', '\u00ff'), {
      maxLength: 60,
    })
    .map((parts) => latin1(parts.join('')))
  const cuts = fc.array(fc.nat(), { maxLength: 12 })

  test('the replies and the unfinished rest make up the input, for all chunks', () => {
    fc.assert(
      fc.property(stream, cuts, (bytes, positions) => {
        const whole = read([bytes])
        const text = whole.replies.map(([reply]) => reply).join('')
        assert.equal(text + bytes.toString('latin1', bytes.length - whole.unfinished), bytes.toString('latin1'))
        assert.deepEqual(read(cutAtAll(bytes, positions)), whole)
      }),
      { numRuns: 20_000 },
    )
  })

  test('the replies match those of a simple reader, line by line', () => {
    fc.assert(
      fc.property(stream, (bytes) => {
        const lines = bytes.toString('latin1').match(/[^\n]*\n/g) ?? []
        const replies: string[] = []
        let open = ''
        for (const line of lines) {
          open += line
          if (/^[0-9]{3}-/.test(line)) continue
          replies.push(open)
          open = ''
        }
        assert.deepEqual(
          read([bytes]).replies.map(([text]) => text),
          replies,
        )
      }),
      { numRuns: 5000 },
    )
  })
})

describe('The text of the last line', () => {
  const cases: readonly (readonly [reply: string, text: string])[] = [
    ['250 2.0.0 ok\r\n', '2.0.0 ok'],
    ['250-one\r\n250 two\r\n', 'two'],
    ['250-one\n250 two\n', 'two'],
    ['250\r\n', ''],
    ['250 \r\n', ''],
    ['250-one\r\n250\r\n', ''],
    ['\r\n', ''],
    ['\n', ''],
    ['ab\r\n', ''],
    ['250 a\rb \t\r\n', 'a\rb'],
    ['250 \u00ff\0\r\n', '\u00ff\0'],
    [`250 ${'x'.repeat(9000)}\r\n`, 'x'.repeat(1996)],
  ]
  for (const [reply, text] of cases) {
    test(`${JSON.stringify(reply.slice(0, 40))}`, () => assert.equal(lastLineText(latin1(reply)), text))
  }
})

describe('The enhanced status code (RFC 2034, RFC 3463)', () => {
  const cases: readonly (readonly [code: number, text: string, enhanced: string | undefined])[] = [
    [250, '2.0.0 ok', '2.0.0'],
    [250, '2.1.5', '2.1.5'],
    [421, '4.3.2 mail.example idle too long', '4.3.2'],
    [550, '5.7.1 no', '5.7.1'],
    [550, '5.123.999 no', '5.123.999'],
    [550, '2.0.0 of another class', undefined],
    [550, '9.9.9 of no class', undefined],
    [550, '5.1234.1 no', undefined],
    [550, '5.1.1234 no', undefined],
    [550, '5.1 no', undefined],
    [550, '5.1.1. no', undefined],
    [550, '5.1.1-no', undefined],
    [550, '5.1.1\tno', undefined],
    [550, ' 5.1.1 no', undefined],
    [550, 'no 5.1.1', undefined],
    [550, '', undefined],
    [354, '3.0.0 go', undefined],
    [0, '0.0.0 x', undefined],
  ]
  for (const [code, text, enhanced] of cases) {
    test(`${code} ${text}: ${enhanced}`, () => assert.equal(enhancedCodeOf(code, text), enhanced))
  }
})

describe('The message ids of a final reply', () => {
  const id = '0123456789abcdef0123456789abcdef'
  const other = 'f'.repeat(32)
  const cases: readonly (readonly [text: string, ids: readonly string[] | undefined])[] = [
    [`OK ids=${id}`, [id]],
    [`OK ids=${id} ${other}`, [id, other]],
    [`PARTIAL ids=${id}`, [id]],
    [`2.0.0 OK ids=${id} and more`, [id]],
    ['OK', undefined],
    ['OK ids=', undefined],
    [`OK ids=${id.slice(1)}`, undefined],
    [`OK ids=${id}0`, undefined],
    [`OK ids=${id.toUpperCase()}`, undefined],
    [`OK ids=<b@example.net>`, undefined],
    [`OK grids=${id}`, undefined],
  ]
  for (const [text, ids] of cases) test(text, () => assert.deepEqual(messageIdsOf(text), ids))

  test('are at most 50, the maximum number of recipients of a message', () => {
    assert.equal(messageIdsOf(`OK ids=${Array.from({ length: 60 }, () => id).join(' ')}`)?.length, 50)
  })
})
