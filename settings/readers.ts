/**
 * Reads the text of one setting, whoever has a table of them: words, numbers, paths, lists. A reader returns the value or
 * all that is wrong with the text, never throws, and touches nothing but its argument.
 */

/** One thing that is wrong with a setting, ready to be printed. */
export interface Fault {
  /** The part that is wrong, without what could be a secret: see `shown`. */
  readonly got: string
  /** What is accepted in its place. */
  readonly wanted: string
  /** What to do, in whole sentences, where `wanted` does not say it all. */
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
export function wrong(text: string, wanted: string, fix?: string): Faults {
  return { faults: [{ got: shown(text), wanted, ...(fix === undefined ? {} : { fix }) }] }
}

/** The sentence that people read: which variable, what it got, what is wanted, what to do. */
export function mistake(variable: string, { got, wanted, fix }: Fault, ifUnset?: string): string {
  const otherwise = ifUnset === undefined ? 'Correct it, or leave it unset.' : `Correct it, or unset it for ${ifUnset}.`
  return `${variable}: got ${got}, wanted ${wanted}. ${fix ?? otherwise}`
}

/** Longest part of a value that a message repeats, in characters. Arbitrary: a few addresses long. */
const MAX_SHOWN = 120

/**
 * A value as messages may repeat it, in quotes. Not repeated is what could be a secret: credentials and strange
 * parameters of a URL, and a certificate or key written where its path belongs.
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

/** The path of a file; undefined when empty. The file itself is not looked at. */
export const path: Reader<string | undefined> = (text) => {
  if (text === '') return { value: undefined }
  const isContent = /-----BEGIN|[\r\n\0]/.test(text)
  return isContent
    ? wrong(text, 'the path of a file', 'Write that text to a file and give the path of the file.')
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
