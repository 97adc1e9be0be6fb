/**
 * The ways in which a network can split the same bytes. Each parser test runs with all of them: the result of a parser
 * must not depend on where a read ends.
 */

/** One way to split bytes, and its description for failures. */
export interface Segmentation {
  readonly how: string
  readonly chunks: readonly Buffer[]
}

/** The largest number of bytes that is split at every position. Longer input is split only near its ends. */
const SHORT = 600

/** All at once, byte by byte, and in two parts at each position. */
export function* segmentations(bytes: Buffer): Generator<Segmentation> {
  yield { how: 'whole', chunks: [bytes] }
  yield { how: 'byte by byte', chunks: [...bytes].map((byte) => Buffer.of(byte)) }
  for (let at = 1; at < bytes.length; at += 1) {
    if (at > SHORT / 2 && at < bytes.length - SHORT / 2) continue
    yield { how: `cut before byte ${at}`, chunks: [bytes.subarray(0, at), bytes.subarray(at)] }
  }
}

/** `bytes` split at `positions`. Positions may be any numbers: they are taken modulo the length, and sorted. */
export function cutAtAll(bytes: Buffer, positions: readonly number[]): Buffer[] {
  const cuts = positions.map((position) => position % (bytes.length + 1)).sort((a, b) => a - b)
  return [0, ...cuts].map((from, index) => bytes.subarray(from, cuts[index] ?? bytes.length))
}

/** Text as bytes, one byte per character (U+0000 to U+00FF). */
export function latin1(text: string): Buffer {
  return Buffer.from(text, 'latin1')
}
