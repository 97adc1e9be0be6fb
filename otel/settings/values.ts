/** Readers for OpenTelemetry's kinds of values, in addition to those in `settings/readers.ts`. */
import { validateHeaderName, validateHeaderValue } from 'node:http'
import { withoutKeys } from '../../settings/mistakes.ts'
import { choiceInAnyCase, listOf, type Reader, type Reading, wrong } from '../../settings/readers.ts'

/** `true` or `false`, in any case. */
export const truth: Reader<boolean> = (text) => {
  const reading = choiceInAnyCase('true', 'false')(text)
  return 'value' in reading ? { value: reading.value === 'true' } : reading
}

/** Comma-separated words, each once; `none` stands alone, for an empty list. */
export function words<T extends string>(...known: readonly T[]): Reader<readonly T[]> {
  return (text) => {
    const reading = listOf(choiceInAnyCase<string>(...known, 'none'))(text)
    if ('faults' in reading) return reading
    const chosen = new Set(reading.value)
    if (chosen.has('none') && chosen.size > 1) return wrong(text, 'none alone, or a list without none')
    return { value: known.filter((candidate) => chosen.has(candidate)) }
  }
}

const ENDPOINT = 'a URL such as http://collector:4318 or https://otlp.example'

/** The URL below which the signals have their paths, ending in a slash. */
export const baseEndpoint: Reader<string> = (given) => {
  const reading = endpoint(given)
  if ('faults' in reading) return reading
  if (new URL(reading.value).search !== '') return wrong(withoutKeys(given), `${ENDPOINT}, without parameters`)
  return { value: reading.value.replace(/\/*$/, '/') }
}

/** A URL that is used as it is. */
export const endpoint: Reader<string> = (given) => {
  const url = URL.parse(given)
  const isWeb = url !== null && /^https?:\/\//i.test(given)
  return isWeb && url.hash === '' ? { value: url.href } : wrong(withoutKeys(given), ENDPOINT)
}

/** The only protocol that the proxy supports. */
export const protocol: Reader<'http/protobuf'> = (given) => {
  if (given.toLowerCase() === 'http/protobuf') return { value: 'http/protobuf' }
  return wrong(
    given,
    'http/protobuf',
    "Other protocols are not supported: set an endpoint with the receiver's HTTP port, usually 4318.",
  )
}

type Pairs = Readonly<Record<string, string>>

/** `name=value` pairs of HTTP headers. Values are secrets, and so may be text in place of a name. */
export const headers: Reader<Pairs> = (given) => {
  const expected = 'name=value, the name and value of an HTTP header'
  const fix =
    'Separate headers with commas. In values, write a comma as %2C, a semicolon as %3B, and a percent sign as %25.'
  return pairs(given, (name, value) => isHeader(name, value) && value !== '', { expected, fix })
}

/** The longest key and value that the specification allows. */
const MAX_ATTRIBUTE_LENGTH = 255

/** `key=value` pairs of resource attributes. Mistakes do not quote them, because they may hold secrets. */
export const resourceAttributes: Reader<Pairs> = (given) => {
  const expected = `key=value, each of at most ${MAX_ATTRIBUTE_LENGTH} characters`
  const fix = 'Separate attributes with commas. Write a comma as %2C, an equals sign as %3D, and a percent sign as %25.'
  const isAttribute = (key: string, value: string, raw: string) =>
    raw.split('=').length === 2 && Math.max(key.length, value.length) <= MAX_ATTRIBUTE_LENGTH
  return pairs(given, isAttribute, { expected, fix })
}

type PairCheck = (key: string, value: string, raw: string) => boolean

function pairs(given: string, isRight: PairCheck, advice: { expected: string; fix: string }): Reading<Pairs> {
  const entries = given.split(',').filter((entry) => entry.trim() !== '')
  const decoded = entries.map((entry) => decodedPair(entry, isRight))
  const bad = decoded.flatMap((pair, index) => (pair === undefined ? [index + 1] : []))
  if (bad.length === 0) return { value: Object.fromEntries(decoded.filter((pair) => pair !== undefined)) }
  return { faults: bad.map((place) => ({ got: `entry ${place} of ${entries.length} (not shown)`, ...advice })) }
}

/** A pair in the format of W3C baggage: percent-encoded, without metadata after a semicolon. */
function decodedPair(entry: string, isRight: PairCheck): readonly [string, string] | undefined {
  const [, rawKey = '', rawValue = ''] = /^([^=;]+)=([^;]*)$/.exec(entry) ?? []
  try {
    const key = decodeURIComponent(rawKey.trim())
    const value = decodeURIComponent(rawValue.trim())
    return key !== '' && isRight(key, value, entry) ? [key, value] : undefined
  } catch {
    return undefined
  }
}

function isHeader(name: string, value: string): boolean {
  try {
    validateHeaderName(name)
    validateHeaderValue(name, value)
    return true
  } catch {
    return false
  }
}
