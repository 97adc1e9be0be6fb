/** Tables of settings: one row documents, reads and describes one variable. */
import type { Documented } from './documentation.ts'
import type { Environment } from './environment.ts'
import { type Fault, mistake } from './mistakes.ts'
import type { Reader, ReadText } from './readers.ts'

/** One environment variable. `Effective`: the type that the values of the table are made into. */
export interface Setting<T, Effective = never> extends Documented {
  /** Also reads the default. */
  readonly read: Reader<T>
  /** True if the whole value is a secret: it keeps its blanks, and no message quotes any part of it. */
  readonly secret?: true
  /** The value in effect, for the start log line; undefined = none. */
  readonly effective?: (effective: Effective) => string | number | boolean | undefined
}

/** Settings by a key that code uses. */
export type Table<Effective = never> = Readonly<Record<string, Setting<unknown, Effective>>>

/** The values of a table's settings, by its keys. */
export type Values<T extends Table> = {
  readonly [Key in keyof T]: T[Key] extends { read: Reader<infer V> } ? V : never
}

/** All values, or everything that is wrong with them: one or two sentences per mistake, without secrets. */
export type Parsed<T extends Table> = { readonly values: Values<T> } | { readonly mistakes: readonly string[] }

export interface ParseOptions<T extends Table> {
  /**
   * What is wrong beyond single settings. `read` has the settings that could be read: the others are absent, so that they
   * are reported only once.
   */
  readonly check?: (read: Partial<Values<T>>) => readonly string[]
  /** Replaces the file system in tests. */
  readonly readText?: ReadText | undefined
}

/**
 * Reads all settings of a table, and the files that they name. An empty or blank variable counts as unset. Returns all
 * mistakes at once; each names the variable, its value, what is expected and what to do. Never throws. Reads files
 * synchronously, because it runs before anything is served.
 */
export function parse<T extends Table>(table: T, env: Environment, options: ParseOptions<T> = {}): Parsed<T> {
  const { check = () => [], readText } = options
  const readings = Object.entries(table).map(([key, row]) => ({
    key,
    row,
    reading: row.read(textOf(row, env), readText),
  }))
  const values = Object.fromEntries(
    readings.flatMap(({ key, reading }) => ('value' in reading ? [[key, reading.value]] : [])),
  ) as Values<T>
  const unreadable = readings.flatMap(({ row, reading }) =>
    'faults' in reading ? mistakesIn(row, reading.faults) : [],
  )
  const mistakes = [...unreadable, ...check(values)]
  return mistakes.length > 0 ? { mistakes } : { values }
}

function textOf({ variable, default: byDefault, secret }: Setting<unknown>, env: Environment): string {
  const given = env[variable] ?? ''
  if (given.trim() === '') return byDefault
  return secret ? given : given.trim()
}

function mistakesIn({ variable, default: byDefault, secret }: Setting<unknown>, faults: readonly Fault[]): string[] {
  const shown = secret ? faults.map((fault) => ({ ...fault, got: '(not shown)' })) : faults
  return shown.map((fault) => mistake(variable, fault, byDefault || undefined))
}

/** The values in effect by variable, for the start log line, without secrets; settings without a value are left out. */
export function valuesInEffect<Effective>(
  table: Table<Effective>,
  effective: Effective,
): Record<string, string | number | boolean> {
  const entries = Object.values(table).map((row) => [row.variable, row.secret ? undefined : row.effective?.(effective)])
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined))
}

/** The properties that have a value, for a type where the others are optional. */
export function defined<T extends object>(properties: T): { readonly [Key in keyof T]?: Exclude<T[Key], undefined> } {
  return Object.fromEntries(Object.entries(properties).filter(([, value]) => value !== undefined)) as {
    readonly [Key in keyof T]?: Exclude<T[Key], undefined>
  }
}
