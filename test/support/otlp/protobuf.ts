/** Reads protobuf messages without their schema: https://protobuf.dev/programming-guides/encoding/. */

/** A number, or the bytes of a string, a message or a fixed-width number. */
export type Value = bigint | Buffer

/** The values at a path of field numbers: `valuesAt(body, 1, 2, 2)` returns the spans of an export of traces. */
export function valuesAt(message: Buffer, ...path: readonly number[]): Value[] {
  const [field, ...rest] = path
  const values = [...fieldsOf(message)].flatMap(([number, value]) => (number === field ? [value] : []))
  if (rest.length === 0) return values
  return values.flatMap((value) => (typeof value === 'bigint' ? [] : valuesAt(value, ...rest)))
}

/** The values at a path, as text. */
export function textsAt(message: Buffer, ...path: readonly number[]): string[] {
  return valuesAt(message, ...path).map((value) => value.toString())
}

function* fieldsOf(message: Buffer): Generator<readonly [number: number, value: Value]> {
  let at = 0
  const varint = () => {
    let value = 0n
    for (let shift = 0n; ; shift += 7n) {
      const byte = message[at]
      if (byte === undefined) throw new Error('the message is truncated')
      at += 1
      value |= BigInt(byte & 127) << shift
      if (byte < 128) return value
    }
  }
  const take = (count: number) => {
    at += count
    return message.subarray(at - count, at)
  }
  while (at < message.length) {
    const tag = varint()
    const type = Number(tag & 7n)
    const number = Number(tag >> 3n)
    if (type === 0) yield [number, varint()]
    else if (type === 1) yield [number, take(8)]
    else if (type === 2) yield [number, take(Number(varint()))]
    else if (type === 5) yield [number, take(4)]
    else throw new Error(`wire type ${type}`)
  }
}
