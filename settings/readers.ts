/**
 * Readers for the text of one setting: words, numbers, paths, lists. A reader returns the value or everything that is
 * wrong with the text. It never throws and has no side effects.
 */

/** One thing that is wrong with a setting, ready to print. */
export interface Fault {
  /** The part that is wrong, without anything that could be a secret: see `shown`. */
  readonly got: string
  /** What is accepted instead. */
  readonly expected: string
  /** What to do, in full sentences, if `expected` is not enough. */
  readonly fix?: string
}

export interface Faults {
  readonly faults: readonly Fault[]
}

/** A value, or everything that is wrong with its text. */
export type Reading<T> = { readonly value: T } | Faults

/** Reads the text of a setting; an empty text is a setting without a value. */
export type Reader<T> = (text: string) => Reading<T>

/** A reading that failed for one reason. */
export function wrong(text: string, expected: string, fix?: string): Faults {
  return { faults: [{ got: shown(text), expected, ...(fix === undefined ? {} : { fix }) }] }
}

/** The message that people read: the variable, its value, what is expected, what to do. */
export function mistake(variable: string, { got, expected, fix }: Fault, ifUnset?: string): string {
  const otherwise = ifUnset === undefined ? 'Correct it, or unset it.' : `Correct it, or unset it to use ${ifUnset}.`
  return `${variable}: got ${got}, expected ${expected}. ${fix ?? otherwise}`
}

/** Longest part of a value that a message quotes, in characters. Arbitrary: a few addresses long. */
const MAX_SHOWN = 120

/**
 * A value as messages may quote it. Leaves out what could be a secret: credentials and unknown parameters of a URL, and
 * a certificate or key that was given instead of its path.
 */
export function shown(text: string): string {
  if (/-----BEGIN|[\r\n\0]/.test(text)) return '(several lines, not shown)'
  if (/^[A-Za-z0-9+][A-Za-z0-9+/=]{63,}$/.test(text)) return `(${text.length} characters, not shown)`
  const isPath = /^\.{0,2}\//.test(text)
  const harmless = isPath ? text : withoutCredentials(text)
  return JSON.stringify(harmless.length > MAX_SHOWN ? `${harmless.slice(0, MAX_SHOWN)}...` : harmless)
}

function withoutCredentials(text: string): string {
  return text.replace(/^([^/]*:\/\/)?.*@/, '$1***@').replace(/([?&](?!tls=|starttls=)[^=&]*=)[^&]*/g, '$1***')
}

/** One of some words. */
export function choice<T extends string>(...words: readonly T[]): Reader<T> {
  return (text) => {
    const word = words.find((candidate) => candidate === text)
    return word === undefined ? wrong(text, `one of ${words.join(', ')}`) : { value: word }
  }
}

/** A whole number from `min` to `max`. */
export function integer(min: number, max: number): Reader<number> {
  return (text) => {
    const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN
    return value >= min && value <= max ? { value } : wrong(text, `a whole number from ${min} to ${max}`)
  }
}

/** The path of a file; undefined when empty. Does not open the file. */
export const path: Reader<string | undefined> = (text) => {
  if (text === '') return { value: undefined }
  const isContent = /-----BEGIN|[\r\n\0]/.test(text)
  return isContent
    ? wrong(text, 'the path of a file', 'Save that text in a file, and set the path of the file.')
    : { value: text }
}

/** Comma-separated elements, each read by `read`; an empty text is an empty list. */
export function listOf<T>(read: Reader<T>): Reader<readonly T[]> {
  return (text) => {
    const readings = text === '' ? [] : text.split(',').map((element) => read(element.trim()))
    const faults = readings.flatMap((reading) => ('faults' in reading ? reading.faults : []))
    if (faults.length > 0) return { faults }
    return { value: readings.flatMap((reading) => ('value' in reading ? [reading.value] : [])) }
  }
}
