/** The addresses of this machine, by name. It loads little, because the health check loads it every few seconds. */
import { type LookupAddress, lookup, promises } from 'node:dns'
import { isIP, type LookupFunction } from 'node:net'
import { networkInterfaces } from 'node:os'

/** A host name whose addresses all belong to other machines. */
export class ForeignHost extends Error {}

/** Finds all addresses of a host name. */
export type FindAddresses = (host: string) => Promise<readonly LookupAddress[]>

const findAll: FindAddresses = (host) => promises.lookup(host, { all: true, order: 'verbatim' })

/**
 * The addresses of a host name that belong to this machine: several containers may share the name. An IP address is
 * returned unchanged. Throws ForeignHost if none of the addresses belongs to this machine, or the error of the resolver.
 */
export async function ownAddresses(
  host: string,
  find: FindAddresses = findAll,
): Promise<readonly [string, ...string[]]> {
  if (isIP(host) !== 0) return [host]
  const found = await find(host)
  const [first, ...others] = new Set(ownOf(found).map(({ address }) => address))
  if (first !== undefined) return [first, ...others]
  const addresses = found.map(({ address }) => address).join(', ')
  throw new ForeignHost(`the host name resolves to ${addresses}, which this machine does not have`)
}

/** Like dns.lookup, but for a name that several machines share, it finds only the addresses of this machine. */
export const lookupOwnFirst: LookupFunction = (host, options, callback) => {
  lookup(host, { ...options, all: true }, (error, found) => {
    if (error) return callback(error, '')
    const own = ownOf(found)
    const usable = own.length > 0 ? own : found
    if (options.all) callback(null, usable)
    else callback(null, usable[0]?.address ?? '', usable[0]?.family)
  })
}

function ownOf(found: readonly LookupAddress[]): LookupAddress[] {
  const interfaces = Object.values(networkInterfaces()).flatMap((addresses = []) => addresses)
  const own = new Set(interfaces.map(({ address }) => address))
  // all of 127.0.0.0/8 belongs to this machine, but only 127.0.0.1 is listed: Debian's own name is 127.0.1.1
  return found.filter(({ address }) => own.has(address) || address.startsWith('127.'))
}
