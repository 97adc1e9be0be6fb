/** Random bodies with everything that a parser could misread. */
import type { SeededRandom } from '../support/traffic/seeded-random.ts'

/** Parts of a body: bare CR and LF, dots, control characters, and lines that look like commands. */
const ODD = [
  '.',
  '..',
  '...\r\n',
  '\r\n..\r\n',
  '\n.\n',
  '\r.\r',
  '\r\n.\n',
  '\n.\r\n',
  '\r\n.\r',
  '\r\n. \r\n',
  '\r\n.\0\r\n',
  '\r',
  '\n',
  '\r\r\n',
  '\0',
  '\x7f\x80\xff',
  '\r\nQUIT\r\n',
  '\r\nDATA\r\n',
  '\r\nRSET\r\n',
  '\r\nSTARTTLS\r\n',
  '\r\nBDAT 5 LAST\r\n',
  '\r\nMAIL FROM:<mallory@example.org>\r\n',
  '\r\n250 ok\r\n',
  '=>',
] as const

const WORDS = 'the quick brown fox jumps over a lazy dog and finds that nothing has changed'.split(' ')

/** Upper bounds of a body's size, in bytes, and how often each is drawn. Most are small, so that a run is fast. */
const SIZES = [0, 60, 60, 200, 200, 200, 2000, 2000, 2000, 8000, 8000, 30_000, 30_000, 64_000, 200_000]

/** Numbered lines of 80 bytes, about 5 MB: more than the socket buffers on the path can hold. */
const FILLING = Buffer.from(
  Array.from({ length: 65_000 }, (_, number) => `${String(number).padEnd(78, '.-')}\r\n`).join(''),
)

/** Lines of 1 to 5 MB in total. */
export function fillingOf(random: SeededRandom): Buffer {
  return FILLING.subarray(0, 80 * (15_000 + random.below(50_000)))
}

/**
 * The bytes between the 354 and the line of the final dot. Empty, or they end in CRLF. They contain no end of a body.
 */
export function bodyOf(random: SeededRandom): Buffer {
  if (random.chance(0.004)) return fillingOf(random)
  const limit = random.one(SIZES)
  const header = limit >= 60 && random.chance(0.7) ? `Subject: ${random.one(WORDS)} ${random.below(1e6)}\r\n\r\n` : ''
  const text = header + piecesOf(random, limit - header.length)
  return Buffer.from(withoutEnd(text), 'latin1')
}

/** Any bytes: a BDAT chunk needs no lines, and can contain the end of a DATA body. */
export function chunkOf(random: SeededRandom): Buffer {
  const text = piecesOf(random, random.one(SIZES))
  return Buffer.from(random.chance(0.3) ? `${text}\r\n.\r\nQUIT\r\n` : text, 'latin1')
}

function piecesOf(random: SeededRandom, limit: number): string {
  const oddness = random.one([0, 0.05, 0.3, 0.8])
  let text = ''
  while (text.length < limit) text += random.chance(oddness) ? random.one(ODD) : lineOf(random, limit)
  return text.slice(0, Math.max(0, limit))
}

function lineOf(random: SeededRandom, limit: number): string {
  if (random.chance(0.03)) return 'long '.repeat(random.below(limit / 5 + 1))
  const words = Array.from({ length: 1 + random.below(12) }, () => random.one(WORDS))
  const line = `${words.join(' ')}\r\n`
  return limit > 5000 ? line.repeat(1 + random.below(40)) : line
}

/** Stuffs the dots of lines that would end the body, and completes the last line (RFC 5321 4.5.2). */
function withoutEnd(text: string): string {
  if (text === '') return ''
  let safe = text.startsWith('.\r\n') ? `.${text}` : text
  if (!safe.endsWith('\r\n')) safe += '\r\n'
  // one replacement can complete another end: CRLF.CRLF.CRLF
  while (safe.includes('\r\n.\r\n')) safe = safe.replaceAll('\r\n.\r\n', '\r\n..\r\n')
  return safe
}
