/**
 * Canaries: unique secrets, one for each place, and a search that finds them in any output: also a part of one, in
 * another case, in base64 or in hexadecimal.
 */
import { randomBytes, randomInt } from 'node:crypto'

/** No hexadecimal digits, so that no id, hash or number looks like a part of a canary. */
const LETTERS = 'ghijklmnopqrstuvwxyz'
const SECRET_LETTERS = 18
/** The number of consecutive letters of a canary that count as a leak. */
const PIECE = 9
const PIECE_IN_BASE64 = 12
const PIECE_IN_HEX = 2 * PIECE

/** The outputs to search, by name. Binary output is read as latin1. */
export type Sinks = Readonly<Record<string, string>>

/** The sinks in which the canary of each place was found. Places without a finding are left out. */
export type Found = Readonly<Record<string, readonly string[]>>

/** All canaries of a test. */
export class Canaries {
  readonly #canaries = new Map<string, string>()
  /** Parts of canaries in three encodings, and their places. */
  readonly #plain = new Map<string, string>()
  readonly #base64 = new Map<string, string>()
  readonly #hex = new Map<string, string>()
  /** Canaries that are searched for as a whole: numbers and addresses. */
  readonly #whole = new Map<string, string>()

  /** All places that have a canary. */
  get places(): readonly string[] {
    return [...this.#canaries.keys()]
  }

  /**
   * The canary of a place, the same on each call: lower-case letters, valid as a word, a name or a label of a host
   * name.
   */
  at(place: string): string {
    return this.#once(place, () => {
      const secret = Array.from({ length: SECRET_LETTERS }, () => LETTERS[randomInt(LETTERS.length)]).join('')
      this.#learn(place, secret)
      return `canary${secret}`
    })
  }

  /** A canary of digits. The first digit is not 0. */
  number(place: string, digits = 15): string {
    return this.#once(place, () => {
      const number = `9${Array.from({ length: digits - 1 }, () => randomInt(10)).join('')}`
      this.#whole.set(number, place)
      return number
    })
  }

  /** A canary of hexadecimal digits. The search also finds the bytes that they encode. */
  hex(place: string, digits = 32): string {
    return this.#once(place, () => {
      const bytes = randomBytes(digits / 2)
      this.#whole.set(bytes.toString('hex'), place)
      this.#whole.set(bytes.toString('latin1').toLowerCase(), place)
      return bytes.toString('hex')
    })
  }

  /** Declares a given text, such as an IP address, as a canary. */
  given(place: string, canary: string): string {
    return this.#once(place, () => {
      this.#whole.set(canary.toLowerCase(), place)
      return canary
    })
  }

  /** Searches every sink for every canary. */
  search(sinks: Sinks): Found {
    const found = new Map<string, Set<string>>()
    for (const [sink, output] of Object.entries(sinks)) {
      for (const place of this.#placesIn(output)) found.set(place, (found.get(place) ?? new Set()).add(sink))
    }
    return Object.fromEntries([...found].sort().map(([place, names]) => [place, [...names].sort()]))
  }

  #once(place: string, make: () => string): string {
    const known = this.#canaries.get(place)
    if (known !== undefined) return known
    const canary = make()
    this.#canaries.set(place, canary)
    return canary
  }

  #learn(place: string, secret: string): void {
    for (const piece of pieces(secret, PIECE)) this.#plain.set(piece, place)
    for (const spelling of [secret, secret.toUpperCase()]) {
      for (const piece of pieces(Buffer.from(spelling).toString('hex'), PIECE_IN_HEX)) this.#hex.set(piece, place)
      for (const text of inBase64(spelling))
        for (const piece of pieces(text, PIECE_IN_BASE64)) this.#base64.set(piece, place)
    }
  }

  #placesIn(output: string): Set<string> {
    const folded = output.toLowerCase()
    const places = new Set<string>()
    collect(folded, PIECE, this.#plain, places)
    collect(folded, PIECE_IN_HEX, this.#hex, places)
    collect(output, PIECE_IN_BASE64, this.#base64, places)
    for (const [canary, place] of this.#whole) if (folded.includes(canary)) places.add(place)
    return places
  }
}

function pieces(text: string, length: number): string[] {
  return Array.from({ length: text.length - length + 1 }, (_, at) => text.slice(at, at + length))
}

/** The text in base64 at each of the three alignments, without the letters that depend on neighbouring bytes. */
function inBase64(text: string): string[] {
  return [0, 1, 2].map((before) => {
    const encoded = Buffer.from('\0'.repeat(before) + text).toString('base64')
    const end = Math.floor(((before + text.length) * 8) / 6)
    return encoded.slice(Math.ceil((before * 8) / 6), end)
  })
}

function collect(output: string, length: number, known: ReadonlyMap<string, string>, places: Set<string>): void {
  for (let at = 0; at + length <= output.length; at += 1) {
    const place = known.get(output.slice(at, at + length))
    if (place !== undefined) places.add(place)
  }
}
