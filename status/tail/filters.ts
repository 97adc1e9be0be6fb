/** Which lines a reader of the live tail gets. The command checks its arguments with this, and the server its query. */
import {
  appTlsErrors,
  dialErrors,
  refusedSessions,
  replyCauses,
  transactionErrors,
  transactionOutcomes,
} from '../../proxy/events/closed-sets.ts'
import { duration } from '../../settings/durations.ts'
import { choice, listOf, type Reader, wrong } from '../../settings/readers.ts'
import type { TailLine } from './line.ts'

/** Whether a reader gets a line. */
export type Filter = (line: TailLine) => boolean

/** What is wrong with the filters, in sentences that name the filter, the value, and what is expected. */
export interface Mistakes {
  readonly mistakes: readonly string[]
}

/** Reads the value of a filter. `apps` are the names that the proxy knows; any name is accepted without them. */
type FilterReader = (apps: readonly string[] | undefined) => Reader<Filter>

const CAUSES = [...new Set([...replyCauses, ...transactionErrors, ...refusedSessions, ...appTlsErrors, ...dialErrors])]

/** Every filter, by the name of its argument. */
const FILTERS: Readonly<Record<string, FilterReader>> = {
  app: (apps) => anyOf(apps ? choice(...apps) : name, (app, line) => line.app === app),
  code: () => anyOf(codes, ({ lowest, highest }, { code = 0 }) => code >= lowest && code <= highest),
  cause: () => anyOf(choice<string>(...CAUSES), (cause, line) => line.cause === cause),
  outcome: () => anyOf(choice(...transactionOutcomes), (outcome, line) => line.outcome === outcome),
  slow: () => slow,
}

/** The names of the filters. */
export const filterNames: readonly string[] = Object.keys(FILTERS)

/** The filter that all these filters make together: a line must pass each of them. */
export function readFilters(
  values: Iterable<readonly [name: string, value: string]>,
  apps?: readonly string[],
): { readonly filter: Filter } | Mistakes {
  const [filters, mistakes]: [Filter[], string[]] = [[], []]
  for (const [name, value] of values) {
    const reading = Object.hasOwn(FILTERS, name) ? FILTERS[name]?.(apps)(value) : undefined
    if (!reading) mistakes.push(`unknown filter, expected one of ${filterNames.join(', ')}`)
    else if ('value' in reading) filters.push(reading.value)
    else mistakes.push(...reading.faults.map(({ got, expected }) => `--${name}: got ${got}, expected ${expected}`))
  }
  if (mistakes.length > 0) return { mistakes }
  return { filter: (line) => filters.every((passes) => passes(line)) }
}

/** Comma-separated values, of which a line must match one. */
function anyOf<T>(read: Reader<T>, matches: (value: T, line: TailLine) => boolean): Reader<Filter> {
  return (text) => {
    const reading = listOf(read)(text)
    if ('faults' in reading) return reading
    const { value: values } = reading
    if (values.length === 0) return wrong(text, 'at least one value')
    return { value: (line) => values.some((value) => matches(value, line)) }
  }
}

const name: Reader<string> = (text) => (text === '' ? wrong(text, 'the name of an app') : { value: text })

/** `521`, or a class: `4xx`. */
const codes: Reader<{ readonly lowest: number; readonly highest: number }> = (text) => {
  if (!/^[2-5](?:\d\d|xx)$/i.test(text)) return wrong(text, 'a reply code such as 521, or a class of codes such as 4xx')
  const [lowest, highest] = ['0', '9'].map((digit) => Number(text.replace(/x/gi, digit)))
  return { value: { lowest: lowest ?? 0, highest: highest ?? 0 } }
}

const longEnough = duration('1ms', '1h')

/** Lines about what took at least this time. */
const slow: Reader<Filter> = (text) => {
  const reading = longEnough(text)
  if ('faults' in reading) return reading
  return { value: ({ totalMs }) => totalMs >= reading.value }
}
