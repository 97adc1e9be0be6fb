/**
 * Readers for the text of one setting: words, numbers, lists. A reader returns the value or everything that is wrong with
 * the text. It never throws, and changes nothing.
 */
import { type Fault, shown } from './mistakes.ts'

export interface Faults {
  readonly faults: readonly Fault[]
}

/** A value, or everything that is wrong with its text. */
export type Reading<T> = { readonly value: T } | Faults

/** Reads the text of a file; throws like `readFileSync`. */
export type ReadText = (path: string) => string

/**
 * Reads the text of a setting; an empty text is a setting without a value. `readText` replaces the file system for readers
 * of files.
 */
export type Reader<T> = (text: string, readText?: ReadText) => Reading<T>

/** A reading that failed for one reason. */
export function wrong(text: string, expected: string, fix?: string): Faults {
  return { faults: [{ got: shown(text), expected, ...(fix === undefined ? {} : { fix }) }] }
}

/** What `read` reads; undefined when empty. */
export function optional<T>(read: Reader<T>): Reader<T | undefined> {
  return (text, readText) => (text === '' ? { value: undefined } : read(text, readText))
}

/** Any text. */
export const anyText: Reader<string> = (text) => ({ value: text })

/** One of some words. */
export function choice<T extends string>(...words: readonly T[]): Reader<T> {
  return (text) => oneOf(words, text, text)
}

/** One of some words, which are lower case, in any case. */
export function choiceInAnyCase<T extends string>(...words: readonly T[]): Reader<T> {
  return (text) => oneOf(words, text, text.toLowerCase())
}

function oneOf<T extends string>(words: readonly T[], text: string, word: string): Reading<T> {
  const value = words.find((candidate) => candidate === word)
  return value === undefined ? wrong(text, `one of ${words.join(', ')}`) : { value }
}

/** A whole number from `min` to `max`. */
export function integer(min: number, max: number): Reader<number> {
  return (text) => {
    const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN
    return value >= min && value <= max ? { value } : wrong(text, `a whole number from ${min} to ${max}`)
  }
}

/** A whole number from `min` to `max`, or `auto` for `automatic()`, limited to that range. */
export function integerOrAuto(min: number, max: number, automatic: () => number): Reader<number> {
  return (text) => {
    if (text === 'auto') return { value: Math.min(max, Math.max(min, automatic())) }
    const reading = integer(min, max)(text)
    return 'value' in reading ? reading : wrong(text, `auto, or a whole number from ${min} to ${max}`)
  }
}

/** A number from 0 to 1. */
export const ratio: Reader<number> = (text) => {
  const value = /^\d*\.?\d+(?:e-?\d+)?$/i.test(text) ? Number(text) : Number.NaN
  return value >= 0 && value <= 1 ? { value } : wrong(text, 'a number from 0 to 1')
}

/** Comma-separated elements, each read by `read`; an empty text is an empty list. */
export function listOf<T>(read: Reader<T>): Reader<readonly T[]> {
  return (text, readText) => {
    const readings = text === '' ? [] : text.split(',').map((element) => read(element.trim(), readText))
    const faults = readings.flatMap((reading) => ('faults' in reading ? reading.faults : []))
    if (faults.length > 0) return { faults }
    return { value: readings.flatMap((reading) => ('value' in reading ? [reading.value] : [])) }
  }
}
