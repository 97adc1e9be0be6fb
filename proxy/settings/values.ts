/** Readers for the proxy's own kinds of settings: durations, networks, clients. `config-urls.ts` reads addresses. */
import { integer, listOf, type Reader, type Reading, shown, wrong } from '../../settings/readers.ts'
import { type NetworkSet, parseNetworks, readNetworks } from '../net/networks.ts'

export * from '../../settings/readers.ts'

/** A whole number from `min` to `max`, or `auto` for `automatic()`, limited to that range. */
export function integerOrAuto(min: number, max: number, automatic: () => number): Reader<number> {
  return (text) => {
    if (text === 'auto') return { value: Math.min(max, Math.max(min, automatic())) }
    const reading = integer(min, max)(text)
    return 'value' in reading ? reading : wrong(text, `auto, or a whole number from ${min} to ${max}`)
  }
}

/** A duration from `min` to `max`, in milliseconds; both bounds are written like the value. `why` explains the upper bound. */
export function duration(min: string, max: string, why = `Choose ${max} or less.`): Reader<number> {
  const lowest = milliseconds(min) ?? 0
  const highest = milliseconds(max) ?? 0
  const expected = `a duration from ${min} to ${max}, written like 250ms, 10s or 1m30s`
  return (text) => {
    const isNegative = text.startsWith('-')
    const value = milliseconds(isNegative ? text.slice(1) : text)
    if (value === undefined) return wrong(text, expected)
    if (isNegative || value < lowest) return wrong(text, expected, `Choose ${min} or more.`)
    return value > highest ? wrong(text, expected, why) : { value }
  }
}

function milliseconds(text: string): number | undefined {
  const parts = /^(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,6})s)?(?:(\d{1,6})ms)?$/.exec(text)
  if (parts === null || text === '') return undefined
  const [hours = 0, minutes = 0, seconds = 0, rest = 0] = parts.slice(1).map((digits) => Number(digits ?? 0))
  return hours * 3_600_000 + minutes * 60_000 + seconds * 1000 + rest
}

/** Comma-separated networks. */
export const networks: Reader<NetworkSet> = (text) => {
  const reading = readNetworks(text)
  if ('networks' in reading) return { value: reading.networks }
  return {
    faults: reading.mistakes.map(({ element, reason }) => ({
      got: shown(element),
      expected: 'a network or an address',
      fix: `It ${reason}.`,
    })),
  }
}

/** A client as configured. */
interface Client {
  readonly name: string
  readonly networks: NetworkSet
}

/** Every name is a value of a metric label. A hundred still fit on a dashboard that people can read. */
const MAX_CLIENT_NAMES = 100

/** Comma-separated `name=network`. Networks with the same name are merged, at the position of the first. */
export const clients: Reader<readonly Client[]> = (text) => {
  const reading = listOf(readClient)(text)
  if ('faults' in reading) return reading
  const groups = Map.groupBy(reading.value, ({ name }) => name)
  if (groups.size > MAX_CLIENT_NAMES) {
    const fix = 'Give several networks the same name.'
    return { faults: [{ got: `${groups.size} names`, expected: `at most ${MAX_CLIENT_NAMES} different names`, fix }] }
  }
  return {
    value: [...groups].map(([name, members]) => ({
      name,
      networks: parseNetworks(members.map(({ network }) => network).join(',')),
    })),
  }
}

function readClient(text: string): Reading<{ readonly name: string; readonly network: string }> {
  const [, name = '', network = ''] = /^([^=]*)=(.+)$/.exec(text) ?? []
  if (!/^[A-Za-z0-9._-]{1,64}$/.test(name)) {
    return wrong(text, 'name=network, with a name of 1 to 64 letters, digits, dots, hyphens and underscores')
  }
  if (name.toLowerCase() === 'other') {
    return wrong(text, 'another name', 'The proxy uses the name `other` for clients that match no network.')
  }
  const reading = networks(network)
  return 'faults' in reading ? reading : { value: { name, network } }
}
