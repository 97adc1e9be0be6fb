/** How many octets of one write or read a transcript shows at each end. Arbitrary: enough to recognise it. */
const SHOWN = 120

/** What happened at both ends of a test, in one list, so that a failure can be read as a conversation. */
export class Transcript {
  readonly #began = performance.now()
  readonly #lines: string[] = []

  /** Notes that `who` did something (`sent`, `read`, `FIN sent`, ...), with the octets if there were any. */
  note(who: string, what: string, bytes?: Buffer): void {
    const time = (performance.now() - this.#began).toFixed(1).padStart(9)
    this.#lines.push(`${time} ms  ${who.padEnd(10)} ${what.padEnd(10)} ${bytes === undefined ? '' : show(bytes)}`)
  }

  /** Begins anew: for one listener that serves many tests, one after the other. */
  clear(): void {
    this.#lines.length = 0
  }

  toString(): string {
    return this.#lines.join('\n')
  }
}

/** Octets as a JSON string in latin1, the middle left out when there are many. */
export function show(bytes: Buffer): string {
  if (bytes.length <= 2 * SHOWN) return JSON.stringify(bytes.toString('latin1'))
  const ends = [bytes.subarray(0, SHOWN), bytes.subarray(-SHOWN)].map((part) => JSON.stringify(part.toString('latin1')))
  return `${ends.join(' ... ')} (${bytes.length} octets)`
}
