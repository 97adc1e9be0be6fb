/** Reads networks, and the names of client networks. */
import { shown } from '../../settings/mistakes.ts'
import { listOf, type Reader, wrong } from '../../settings/readers.ts'
import { type NetworkSet, parseNetworks, readNetworks } from '../net/networks.ts'
import { faultOfName, MAX_CLIENT_NAMES } from './client-names.ts'

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
  const fault = faultOfName(name, 'name=network')
  if (fault) return wrong(text, fault.expected, fault.fix)
  const reading = networks(network)
  return 'faults' in reading ? reading : { value: { name, network } }
}
