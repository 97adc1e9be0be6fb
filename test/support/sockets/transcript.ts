/** The number of bytes shown at each end of a long write or read. Arbitrary: enough to recognise it. */
const SHOWN = 120

/** Everything that the client and the upstream of a test did, in order, to make failures readable as a conversation. */
export class Transcript {
  readonly #began = performance.now()
  readonly #lines: string[] = []

  /** Records that `who` did something (`sent`, `read`, `FIN sent`, ...), with the bytes if there are any. */
  note(who: string, what: string, bytes?: Buffer): void {
    const time = (performance.now() - this.#began).toFixed(1).padStart(9)
    this.#lines.push(`${time} ms  ${who.padEnd(10)} ${what.padEnd(10)} ${bytes === undefined ? '' : show(bytes)}`)
  }

  /** Removes all lines: one upstream serves many tests, one after the other. */
  clear(): void {
    this.#lines.length = 0
  }

  toString(): string {
    return this.#lines.join('\n')
  }
}

/** Formats bytes as a JSON string in latin1, without the middle if there are many. */
function show(bytes: Buffer): string {
  if (bytes.length <= 2 * SHOWN) return JSON.stringify(bytes.toString('latin1'))
  const ends = [bytes.subarray(0, SHOWN), bytes.subarray(-SHOWN)].map((part) => JSON.stringify(part.toString('latin1')))
  return `${ends.join(' ... ')} (${bytes.length} bytes)`
}
