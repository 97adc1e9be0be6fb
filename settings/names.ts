/** Finds unknown names of variables: misspelled settings, and names of other programs. Never quotes values. */
import { type Environment, isSet } from './environment.ts'

/** Names in the environment that share a prefix with known names and are unknown. */
export interface UnknownNames {
  /** A message for each name that misspells a known one, with the known name. */
  readonly misspelled: readonly string[]
  /** Names that probably belong to another program: `PROXY_URL`, or `PROXY_ADMIN_URL (similar to PROXY_ADMIN)`. */
  readonly foreign: readonly string[]
}

/** Finds unknown names, and the settings that they misspell. */
export function unknownNames(env: Environment, known: readonly string[]): UnknownNames {
  const unknown = unknownVariables(env, known).map((name) => ({
    name,
    meant: known.find((setting) => misspells(name, setting)),
  }))
  return {
    misspelled: unknown.flatMap(({ name, meant }) =>
      meant === undefined ? [] : [`${name}: there is no such setting. Did you mean ${meant}?`],
    ),
    foreign: unknown.flatMap(({ name, meant }) => (meant === undefined ? [withSimilar(name, known)] : [])),
  }
}

/**
 * Unknown names that have a value and the prefix of a known name (`PROXY_`). Ignores names without an underscore and the
 * names that Kubernetes sets for services.
 */
export function unknownVariables(env: Environment, known: readonly string[]): string[] {
  const prefixes = new Set(known.map(prefixOf).filter((prefix) => prefix !== ''))
  return Object.keys(env)
    .filter((name) => prefixes.has(prefixOf(name)) && isSet(name, env) && !known.includes(name))
    .filter((name) => !isServiceLink(name, env[name] ?? ''))
}

/**
 * Kubernetes sets such variables in pods for each service of their namespace, so a service whose name begins like a
 * setting is not a mistake (https://kubernetes.io/docs/concepts/services-networking/service/).
 */
function isServiceLink(name: string, value: string): boolean {
  return (
    /_SERVICE_(?:HOST|PORT)(?:_|$)|_PORT_\d+_(?:TCP|UDP|SCTP)(?:_|$)/.test(name) || /^(?:tcp|udp|sctp):/.test(value)
  )
}

/** `PROXY_` of `PROXY_LISTEN`; empty for a name without an underscore. */
function prefixOf(name: string): string {
  return name.slice(0, name.indexOf('_') + 1)
}

/** The words after the prefix, in upper case. */
function wordsOf(name: string): string[] {
  return name.slice(prefixOf(name).length).toUpperCase().split('_').filter(Boolean)
}

/**
 * Whether a name has the prefix and the words of a setting: each with at most one wrong letter, in any order, or with an
 * underscore too many or too few. A name with another word, such as PROXY_READ_TIMEOUT, or with a word more or less does not.
 */
function misspells(name: string, setting: string): boolean {
  if (prefixOf(name) !== prefixOf(setting)) return false
  const [words, wanted] = [wordsOf(name), wordsOf(setting)]
  const differing = without(words, wanted, isSameWord)
  return (words.length === wanted.length && differing.length === 0) || isSameWord(words.join(''), wanted.join(''))
}

/** A foreign name, with the setting that differs from it by one whole word, if there is exactly one. */
function withSimilar(name: string, known: readonly string[]): string {
  const [setting, ...others] = known.filter((candidate) => differsByOneWord(name, candidate))
  return setting === undefined || others.length > 0 ? name : `${name} (similar to ${setting})`
}

function differsByOneWord(name: string, setting: string): boolean {
  const [words, wanted] = [wordsOf(name), wordsOf(setting)]
  return prefixOf(name) === prefixOf(setting) && [...without(words, wanted), ...without(wanted, words)].length === 1
}

/** The words that remain after one of them is removed for each of the others. */
function without(words: readonly string[], others: readonly string[], isSame = Object.is): string[] {
  const remaining = [...words]
  for (const other of others) {
    const index = remaining.findIndex((word) => isSame(word, other))
    if (index >= 0) remaining.splice(index, 1)
  }
  return remaining
}

/** Whether a word is one of a setting apart from one letter, the plural, or the ending (LISTENERS, ALLOWED). */
function isSameWord(word: string, wanted: string): boolean {
  const [one, other] = [singular(word), singular(wanted)]
  const longer = ['ER', 'ED', 'ING'].map((ending) => other + ending)
  return differByOneLetter(word, wanted) || differByOneLetter(one, other) || longer.includes(one)
}

/** ADDRESS for ADDRESSES and for ADDRESS. */
function singular(word: string): string {
  return word.replace(/(?<=S)ES$|(?<!S)S$/, '')
}

/** The first of `words` that differs from `word` by one letter, or begins with it. Letter case does not count. */
export function nearestWord(word: string, words: readonly string[]): string | undefined {
  const typed = word.toLowerCase()
  const begins = (candidate: string) => typed.length > 1 && candidate.startsWith(typed)
  return words.find((candidate) => differByOneLetter(typed, candidate)) ?? words.find(begins)
}

/** Whether at most one letter is missing, added or replaced, or two neighbours are swapped. */
function differByOneLetter(one: string, other: string): boolean {
  const shorter = Math.min(one.length, other.length)
  let start = 0
  while (start < shorter && one[start] === other[start]) start += 1
  let end = 0
  while (end < shorter - start && one.at(-1 - end) === other.at(-1 - end)) end += 1
  const [left, right] = [one.slice(start, one.length - end), other.slice(start, other.length - end)]
  return (left.length <= 1 && right.length <= 1) || (left.length === 2 && left === [...right].reverse().join(''))
}
