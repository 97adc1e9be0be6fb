/** Reads networks, and the names of client networks. */
import { shown } from '../../settings/mistakes.ts'
import { listOf, type Reader, wrong } from '../../settings/readers.ts'
import { type NetworkSet, parseNetworks, readNetworks } from '../net/networks.ts'

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
  const reading = listOf(client)(text)
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

const client: Reader<{ readonly name: string; readonly network: string }> = (text) => {
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
