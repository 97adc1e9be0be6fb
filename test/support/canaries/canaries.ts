/**
 * Canaries: secrets that are unique to the place into which they are put, and a search that finds any of them again in
 * any output: in part, in another case, in base64 or in hexadecimal.
 */
import { randomBytes, randomInt } from 'node:crypto'

/** No hexadecimal digits among them, so that no id, hash or number looks like a piece of a mark. */
const LETTERS = 'ghijklmnopqrstuvwxyz'
const SECRET_LETTERS = 18
/** So many letters of a mark are a leak, wherever they were cut. */
const PIECE = 9
const PIECE_IN_BASE64 = 12
const PIECE_IN_HEX = 2 * PIECE

/** What is searched: outputs by name. Octets that are no text are read as latin1. */
export type Sinks = Readonly<Record<string, string>>

/** In which sinks the mark of a place was found. Places that were found nowhere are not in it. */
export type Found = Readonly<Record<string, readonly string[]>>

export class Marks {
  readonly #marks = new Map<string, string>()
  /** Pieces of marks in three spellings, and the places that they belong to. */
  readonly #plain = new Map<string, string>()
  readonly #base64 = new Map<string, string>()
  readonly #hex = new Map<string, string>()
  /** Marks that are searched for whole: numbers and addresses. */
  readonly #whole = new Map<string, string>()

  /** Every place that was given a mark. */
  get places(): readonly string[] {
    return [...this.#marks.keys()]
  }

  /** The mark of a place, the same each time: lower-case letters, good as a word, a name or a label of a host name. */
  at(place: string): string {
    return this.#once(place, () => {
      const secret = Array.from({ length: SECRET_LETTERS }, () => LETTERS[randomInt(LETTERS.length)]).join('')
      this.#learn(place, secret)
      return `canary${secret}`
    })
  }

  /** A mark of digits, the first of which is not 0. */
  number(place: string, digits = 15): string {
    return this.#once(place, () => {
      const number = `9${Array.from({ length: digits - 1 }, () => randomInt(10)).join('')}`
      this.#whole.set(number, place)
      return number
    })
  }

  /** A mark of hexadecimal digits, which is also found as the octets that they spell. */
  hex(place: string, digits = 32): string {
    return this.#once(place, () => {
      const octets = randomBytes(digits / 2)
      this.#whole.set(octets.toString('hex'), place)
      this.#whole.set(octets.toString('latin1').toLowerCase(), place)
      return octets.toString('hex')
    })
  }

  /** A mark that is given, such as an IP address. */
  given(place: string, mark: string): string {
    return this.#once(place, () => {
      this.#whole.set(mark.toLowerCase(), place)
      return mark
    })
  }

  /** Looks for every mark in every sink. */
  search(sinks: Sinks): Found {
    const found = new Map<string, Set<string>>()
    for (const [sink, output] of Object.entries(sinks)) {
      for (const place of this.#placesIn(output)) found.set(place, (found.get(place) ?? new Set()).add(sink))
    }
    return Object.fromEntries([...found].sort().map(([place, names]) => [place, [...names].sort()]))
  }

  #once(place: string, make: () => string): string {
    const known = this.#marks.get(place)
    if (known !== undefined) return known
    const mark = make()
    this.#marks.set(place, mark)
    return mark
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
    for (const [mark, place] of this.#whole) if (folded.includes(mark)) places.add(place)
    return places
  }
}

function pieces(text: string, length: number): string[] {
  return Array.from({ length: text.length - length + 1 }, (_, at) => text.slice(at, at + length))
}

/** Of the three ways in which a text may lie among groups of three octets, the letters that do not depend on others. */
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
