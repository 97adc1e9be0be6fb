/**
 * The ways in which a network may cut the same octets. A parser case is written once and run in all of them: what a
 * parser says must not depend on where a read ended.
 */

/** One way to cut, and how a failure calls it. */
export interface Segmentation {
  readonly how: string
  readonly chunks: readonly Buffer[]
}

/** Octets up to which each position is cut at. A longer case is cut near its ends only. */
const SHORT = 600

/** Whole, octet by octet, and in two at each position. */
export function* segmentations(bytes: Buffer): Generator<Segmentation> {
  yield { how: 'whole', chunks: [bytes] }
  yield { how: 'octet by octet', chunks: [...bytes].map((octet) => Buffer.of(octet)) }
  for (let at = 1; at < bytes.length; at += 1) {
    if (at > SHORT / 2 && at < bytes.length - SHORT / 2) continue
    yield { how: `cut before octet ${at}`, chunks: [bytes.subarray(0, at), bytes.subarray(at)] }
  }
}

/** `bytes` cut at `positions` (any numbers: they are taken modulo the length, in order, empty chunks included). */
export function cutAtAll(bytes: Buffer, positions: readonly number[]): Buffer[] {
  const cuts = positions.map((position) => position % (bytes.length + 1)).sort((a, b) => a - b)
  return [0, ...cuts].map((from, index) => bytes.subarray(from, cuts[index] ?? bytes.length))
}

/** Text, one octet a character (U+0000 to U+00FF). */
export function octets(text: string): Buffer {
  return Buffer.from(text, 'latin1')
}
