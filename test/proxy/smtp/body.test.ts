/**
 * The end of a body: exactly CRLF.CRLF (RFC 5321 4.1.1.4), whatever the body contains and however it is split into
 * chunks.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { BodyScanner } from '../../../proxy/smtp/body.ts'
import { cutAtAll, latin1, segmentations } from '../../support/sockets/segmentation.ts'

interface Found {
  /** The number of bytes up to the end of the body, including the final dot's line; -1 if the body continues. */
  readonly end: number
  readonly size: number
}

/** The result of a scanner for these chunks. It stops reading at the end of the body, as the dialogue does. */
function scan(chunks: readonly Buffer[]): Found {
  const scanner = new BodyScanner()
  let before = 0
  for (const chunk of chunks) {
    const end = scanner.push(chunk)
    if (end >= 0) return { end: before + end, size: scanner.size }
    before += chunk.length
  }
  return { end: -1, size: scanner.size }
}

/** The definition, without optimisation: the bytes after the 354 follow a CRLF. */
function reference(bytes: Buffer): Found {
  const needle = `\r\n${bytes.toString('latin1')}`.indexOf('\r\n.\r\n')
  return needle < 0 ? { end: -1, size: bytes.length } : { end: needle + 3, size: needle }
}

/** Bodies, and after the bar the commands that follow. */
const BODIES: readonly (readonly [what: string, stream: string])[] = [
  ['a message', 'Subject: x\r\n\r\nHello\r\n.\r\n|QUIT\r\n'],
  ['an empty message', '.\r\n|QUIT\r\n'],
  ['one empty line', '\r\n.\r\n|'],
  ['a dot at the start that is stuffed', '..\r\n.\r\n|'],
  ['a dot at the start, followed by text', '.x\r\n.\r\n|'],
  ['dots of every kind', '..\r\n..x\r\n...\r\n. \r\n.x\r\n.\r\n|'],
  ['two ends in a row: the first counts', 'x\r\n.\r\n|.\r\n'],
  ['an end after an additional CR', 'x\r\r\n.\r\n|'],
  ['CRs before the dot line', 'x\r\n\r\r\r\n.\r\n|'],
  ['almost an end, and an end that begins at its CR', 'x\r\n.\r\r\n.\r\n|'],
  ['CRLF twice', 'x\r\n\r\n.\r\n|'],
  ['a dot line after a stuffed dot line', 'x\r\n..\r\n.\r\n|'],
  ['lines that look like commands', 'QUIT\r\nDATA\r\nSTARTTLS\r\nBDAT 5 LAST\r\n250 ok\r\n.\r\n|'],
  ['NUL and bytes above 127', '\0\u0080\u00ff\r\n\0.\r\n.\r\n|'],
  ['many dots, so that the search switches to all five bytes', `${'. '.repeat(40)}\r\n.\r\n|`],
  ['many dot lines', `${'.x\r\n'.repeat(40)}.\r\n|`],
  ['a dot every other byte, directly before the end', `${'.\r'.repeat(40)}\n.\r\n|`],
  ['a long line', `${'x'.repeat(3000)}\r\n.\r\n|`],
]

/**
 * Sequences that some servers accepted as an end, which allowed mail to be smuggled after it (smtpsmuggling.com,
 * VU#302671).
 */
const NO_ENDS: readonly string[] = [
  '\n.\n',
  '\n.\r',
  '\r.\n',
  '\r.\r',
  '\n.\r\n',
  '\r.\r\n',
  '\r\n.\n',
  '\r\n.\r',
  '\r\n.\rX\n',
  '\r\n.\r\r\n',
  '\r\r\n.\r\r\n',
  '\r\n\0.\r\n',
  '\r\n.\0\r\n',
  '\n\n.\r\n',
  '\n..\n',
  '\r\n. \r\n',
  '\r\n.\t\r\n',
  '\r\n .\r\n',
  '\v.\v',
  '\f.\f',
  '\u0085.\u0085',
  Buffer.from('\u2028.\u2028').toString('latin1'),
  '\r\n.\r\0\n',
  '\n\r.\n\r',
]

describe('A body ends at CRLF.CRLF, for all chunks (R10)', () => {
  for (const [what, stream] of BODIES) {
    test(what, () => {
      const end = stream.indexOf('|')
      const bytes = latin1(stream.replace('|', ''))
      for (const { how, chunks } of segmentations(bytes)) assert.deepEqual(scan(chunks), { end, size: end - 3 }, how)
    })
  }

  for (const wrong of NO_ENDS) {
    test(`not at ${JSON.stringify(wrong)}`, () => {
      const bytes = latin1(`one${wrong}MAIL FROM:<x@y>\r\n.\r\n`)
      const expected = { end: bytes.length, size: bytes.length - 3 }
      for (const { how, chunks } of segmentations(bytes)) assert.deepEqual(scan(chunks), expected, how)
    })
  }

  test('not before all of it has arrived', () => {
    for (const start of ['', '.', '.\r', 'x', 'x\r', 'x\r\n', 'x\r\n.', 'x\r\n.\r']) {
      for (const { how, chunks } of segmentations(latin1(start))) {
        assert.deepEqual(scan(chunks), { end: -1, size: start.length }, `${JSON.stringify(start)} ${how}`)
      }
    }
  })

  test('bytes before the body in its first chunk are ignored', () => {
    const bytes = latin1('DATA\r\n.\r\nbody\r\n.\r\n')
    const scanner = new BodyScanner()
    assert.equal(scanner.push(bytes, 'DATA\r\n.\r\n'.length), bytes.length)
    assert.equal(scanner.size, 'body\r\n'.length)
    assert.equal(new BodyScanner().push(bytes, 'DATA\r\n'.length), 'DATA\r\n.\r\n'.length)
    assert.equal(new BodyScanner().push(bytes, bytes.length), -1)
  })
})

describe('For any body (BYT-11)', () => {
  /** Mostly parts of an end. */
  const ALPHABET = [
    '\r',
    '\n',
    '.',
    '\r',
    '\n',
    '.',
    '\r\n',
    '\r\n.',
    '\r\n.\r',
    '.\r\n',
    'x',
    '\0',
    'xxxxxxxx',
    '........',
  ]
  const body = fc
    .array(fc.nat({ max: ALPHABET.length - 1 }), { maxLength: 40, size: 'max' })
    .map((picks) => latin1(picks.map((pick) => ALPHABET[pick]).join('')))
  const cuts = fc.array(fc.nat({ max: 200 }), { maxLength: 6 })

  test('end and size match the definition, for all chunks (100,000 bodies)', () => {
    fc.assert(
      fc.property(body, cuts, (bytes, positions) => {
        const { end, size } = scan(cutAtAll(bytes, positions))
        const expected = reference(bytes)
        // deepEqual would take longer than everything else
        if (end === expected.end && size === expected.size) return
        assert.deepEqual({ end, size }, expected)
      }),
      { numRuns: 100_000 },
    )
  })

  test('a body of 25 MB in one line takes linear time (DAT-12)', () => {
    const chunk = Buffer.alloc(65_536, 'x')
    const dots = Buffer.alloc(65_536, 'x.\r\n')
    for (const part of [chunk, dots]) {
      const scanner = new BodyScanner()
      const began = performance.now()
      for (let times = 0; times < 400; times += 1) assert.equal(scanner.push(part), -1)
      assert.ok(performance.now() - began < 1000)
      assert.equal(scanner.size, 400 * 65_536)
    }
  })
})
