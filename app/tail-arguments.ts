/** The arguments of the command `tail`. */
import { admin, authority } from '../proxy/settings/addresses.ts'
import { SETTINGS } from '../proxy/settings/table.ts'
import { type Environment, isSet } from '../settings/environment.ts'
import { filterNames, readFilters } from '../status/tail/filters.ts'

/** What the arguments ask for. */
export interface TailArguments {
  /** `http://host:port` of the admin server; undefined if PROXY_ADMIN is `off`. */
  readonly url: string | undefined
  /** The filters, for the server. */
  readonly query: URLSearchParams
  /** Print JSON. */
  readonly json: boolean
}

const FLAGS: readonly string[] = ['json']
const NAMES: readonly string[] = [...filterNames, 'url', ...FLAGS]

/** Reads the arguments. Each mistake names the argument, its value, and what is expected. */
export function readArguments(
  args: readonly string[],
  env: Environment,
): TailArguments | { readonly mistakes: readonly string[] } {
  const { values, mistakes } = split(args)
  const filters = [...values].filter(([name]) => filterNames.includes(name))
  const reading = readFilters(filters)
  if ('mistakes' in reading) mistakes.push(...reading.mistakes)
  const url = urlOf(values.get('url'), env)
  if ('mistake' in url) mistakes.push(url.mistake)
  if (mistakes.length > 0 || 'mistake' in url) return { mistakes }
  return { url: url.url, query: new URLSearchParams(filters), json: values.has('json') }
}

/** The values by the names of their arguments. An argument that is given twice has both values. */
function split(args: readonly string[]): { readonly values: Map<string, string>; readonly mistakes: string[] } {
  const values = new Map<string, string>()
  const mistakes: string[] = []
  const rest = [...args]
  for (let argument = rest.shift(); argument !== undefined; argument = rest.shift()) {
    const [, name = '', inline] = /^--([a-z]+)(?:=(.*))?$/s.exec(argument) ?? []
    if (!NAMES.includes(name)) mistakes.push(`unknown argument ${JSON.stringify(argument)}: expected ${EXPECTED}`)
    else if (FLAGS.includes(name)) {
      if (inline !== undefined) mistakes.push(`--${name}: got ${JSON.stringify(inline)}, expected no value`)
      values.set(name, '')
    } else {
      const value = inline ?? (rest[0]?.startsWith('--') ? undefined : rest.shift())
      if (value === undefined) mistakes.push(`--${name}: got nothing, expected a value`)
      else values.set(name, values.has(name) && name !== 'url' ? `${values.get(name)},${value}` : value)
    }
  }
  return { values, mistakes }
}

const EXPECTED = NAMES.map((name) => `--${name}`).join(', ')

/** Where the admin server listens, which is also where a client on the same machine reaches it. */
function urlOf(given: string | undefined, env: Environment): { readonly url?: string } | { readonly mistake: string } {
  const { variable } = SETTINGS.admin
  const name = given === undefined ? variable : '--url'
  const text = given ?? (isSet(variable, env) ? (env[variable] ?? '').trim() : SETTINGS.admin.default)
  if (given === undefined && text === 'off') return {}
  const reading = admin(text)
  if ('faults' in reading)
    return {
      mistake: reading.faults.map((fault) => `${name}: got ${fault.got}, expected ${fault.expected}`).join('\n'),
    }
  if (!reading.value?.port)
    return { mistake: `${name}: got ${JSON.stringify(text)}, expected a URL with the port of the admin server` }
  return { url: `http://${authority(reading.value)}` }
}
