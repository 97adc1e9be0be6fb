/** Names of variables that are no setting: misspelled ones, and those of other programs. Values are never repeated. */
import { type Environment, isServiceLink } from './tables.ts'

/** Names in the environment that share a prefix with known names and are unknown. */
export interface UnknownNames {
  /** A sentence for each name that is close to a known one; it says which. */
  readonly misspelled: readonly string[]
  /** Names that resemble none, and probably belong to another program. */
  readonly foreign: readonly string[]
}

/**
 * Looks for names that have the prefix of a known one (`PROXY_`) and a value, and are not known. What Kubernetes sets for
 * a service is neither misspelled nor foreign, nor is a name without an underscore.
 */
export function unknownNames(env: Environment, known: readonly string[]): UnknownNames {
  const prefixes = new Set(known.map(prefixOf).filter((prefix) => prefix !== ''))
  const unknown = Object.entries(env)
    .filter(([name, value = '']) => prefixes.has(prefixOf(name)) && value.trim() !== '' && !known.includes(name))
    .filter(([name, value = '']) => !isServiceLink(name, value))
    .map(([name]) => ({ name, meant: nearest(name, known) }))
  return {
    misspelled: unknown.flatMap(({ name, meant }) =>
      meant === undefined ? [] : [`${name}: there is no such setting. Did you mean ${meant}?`],
    ),
    foreign: unknown.flatMap(({ name, meant }) => (meant === undefined ? [name] : [])),
  }
}

/** `PROXY_` of `PROXY_LISTEN`; empty for a name without an underscore. */
function prefixOf(name: string): string {
  return name.slice(0, name.indexOf('_') + 1)
}

/** The share of the letters after the prefix that may be wrong. Arbitrary: PROXY_CERT_FILE means PROXY_TLS_CERT_FILE. */
const TOLERANCE = 0.45

/** The known name with the same prefix that takes the fewest edits, in any case, if they are few for its length. */
function nearest(name: string, known: readonly string[]): string | undefined {
  const prefix = prefixOf(name)
  const edits = new Map(
    known
      .filter((candidate) => candidate.startsWith(prefix))
      .map((candidate) => [candidate, distance(name.toUpperCase(), candidate)]),
  )
  const [best] = [...edits.keys()].toSorted((a, b) => edits.get(a)! - edits.get(b)!)
  const tolerated = (name.length - prefix.length) * TOLERANCE
  return best !== undefined && edits.get(best)! <= tolerated ? best : undefined
}

/** Levenshtein distance, row by row. */
function distance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index)
  for (const letter of from) {
    const next = [row[0]! + 1]
    for (let index = 1; index <= to.length; index += 1) {
      const replaced = row[index - 1]! + (letter === to[index - 1] ? 0 : 1)
      next.push(Math.min(replaced, row[index]! + 1, next[index - 1]! + 1))
    }
    row = next
  }
  return row.at(-1)!
}
