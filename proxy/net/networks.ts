import { isIP } from 'node:net'
import ipaddr from 'ipaddr.js'

/** A set of IP networks. `String(set)` is its comma-separated CIDR notation. */
export interface NetworkSet {
  /**
   * True if `address` (IPv4, IPv6 or IPv4-mapped IPv6 text, with or without a zone id) is in one of the networks.
   * False for anything else, including `undefined`.
   */
  has(address: string | undefined): boolean
  /** True if one of the networks contains the whole network of `bits` that begins at `address`. */
  covers(address: string, bits: number): boolean
  readonly size: number
}

/** Loopback (RFC 1122 3.2.1.3, RFC 4291 2.5.3) and private networks (RFC 1918, RFC 4193). */
export const LOCAL_NETWORKS = '127.0.0.0/8,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,::1/128,fc00::/7'

type Address = ipaddr.IPv4 | ipaddr.IPv6

interface Network {
  readonly address: Address
  /** Length of the prefix, 0 to 32 or 0 to 128. */
  readonly bits: number
}

/** One wrong element of a list of networks. */
interface NetworkMistake {
  readonly element: string
  /** The mistake, and what to write instead. */
  readonly reason: string
}

/** Reads comma-separated CIDRs and single addresses; blank text is the empty set. Returns every wrong element. */
export function readNetworks(
  text: string,
): { readonly networks: NetworkSet } | { readonly mistakes: readonly NetworkMistake[] } {
  const elements = text.trim() === '' ? [] : text.split(',').map((element) => element.trim())
  const readings = elements.map(readNetwork)
  const mistakes = readings.filter((reading) => 'reason' in reading)
  if (mistakes.length > 0) return { mistakes }
  return { networks: new Networks(readings.filter((reading) => 'bits' in reading)) }
}

/** Like `readNetworks`, for text that is expected to be valid: throws a RangeError that names every wrong element. */
export function parseNetworks(text: string): NetworkSet {
  const reading = readNetworks(text)
  if ('networks' in reading) return reading.networks
  throw new RangeError(reading.mistakes.map(({ element, reason }) => `"${element}" ${reason}`).join('; '))
}

/**
 * The canonical spelling of an address: an IPv4-mapped IPv6 address becomes IPv4, IPv6 follows RFC 5952, and a zone id is
 * removed. Undefined if `address` is not an address.
 */
export function canonicalAddress(address: string | undefined): string | undefined {
  return readAddress(address)?.toString()
}

/**
 * The key for counting the sessions of one client: its IPv4 address, or the /64 of its IPv6 address, because one host
 * commonly has a whole /64 to choose addresses from (RFC 4291 2.5.1). Text that is not an address is its own key.
 */
export function clientKey(address: string): string {
  const parsed = readAddress(address)
  if (parsed === undefined) return address
  if (parsed instanceof ipaddr.IPv4) return parsed.toString()
  return `${new ipaddr.IPv6([...parsed.parts.slice(0, 4), 0, 0, 0, 0]).toString()}/64`
}

/**
 * The network of a client, by which people recognize it and which is not its address: the /24 of an IPv4 address, or the
 * /48 of an IPv6 address, which is what one site commonly has (RFC 6177). `unknown` for text that is not an address.
 */
export function clientNetwork(address: string): string {
  const parsed = readAddress(address)
  if (parsed === undefined) return 'unknown'
  const bits = parsed instanceof ipaddr.IPv4 ? 24 : 48
  return `${firstAddress(parsed, bits)}/${bits}`
}

class Networks implements NetworkSet {
  readonly #networks: readonly Network[]

  constructor(networks: readonly Network[]) {
    this.#networks = networks
    Object.freeze(this)
  }

  get size(): number {
    return this.#networks.length
  }

  has(text: string | undefined): boolean {
    const address = readAddress(text)
    return address !== undefined && this.#networks.some((network) => contains(network, address))
  }

  covers(text: string, bits: number): boolean {
    const address = readAddress(text)
    return address !== undefined && this.#networks.some((each) => each.bits <= bits && contains(each, address))
  }

  toString(): string {
    return this.#networks.map(({ address, bits }) => `${address}/${bits}`).join(',')
  }
}

function contains(network: Network, address: Address): boolean {
  return network.address.kind() === address.kind() && address.match(network.address, network.bits)
}

/** Addresses that were read: the same few clients connect again and again, and each connection needs theirs several times. */
const known = new Map<string, Address>()
const MAX_KNOWN = 1000

function readAddress(text: string | undefined): Address | undefined {
  if (text === undefined) return undefined
  const before = known.get(text)
  if (before !== undefined) return before
  const address = parseText(text)
  if (address === undefined) return undefined
  if (known.size >= MAX_KNOWN) known.clear()
  known.set(text, address)
  return address
}

function parseText(text: string): Address | undefined {
  // isIP first: ipaddr.js also accepts the old inet_aton forms (octal, hexadecimal, 127.1), which are ambiguous
  if (isIP(text) === 0) return undefined
  const zone = text.indexOf('%')
  const address = parseAddress(zone === -1 ? text : text.slice(0, zone))
  return address instanceof ipaddr.IPv6 && address.isIPv4MappedAddress() ? address.toIPv4Address() : address
}

/** ipaddr.js takes `::1.2.3.4` for IPv4-mapped, but it is IPv4-compatible IPv6 (RFC 4291 2.5.5.1), another address. */
function parseAddress(text: string): Address {
  return ipaddr.parse(text.replace(/^::(?=\d+\.)/, '::0:'))
}

function readNetwork(element: string): Network | NetworkMistake {
  const [, text = '', prefix] = /^([^/%]+)(?:\/(0|[1-9]\d{0,2}))?$/.exec(element) ?? []
  if (isIP(text) === 0) return { element, reason: 'is not a network: write an address or a CIDR such as 10.0.0.0/8' }
  const address = parseAddress(text)
  const longest = address.kind() === 'ipv4' ? 32 : 128
  const bits = prefix === undefined ? longest : Number(prefix)
  if (bits > longest)
    return { element, reason: `has a prefix longer than /${longest}: write ${text}/${longest} or a shorter prefix` }
  const start = firstAddress(address, bits)
  // probably a mistake, and only the operator knows whether the address or the prefix is wrong
  if (start.toString() !== address.toString()) {
    return {
      element,
      reason: `is not the first address of a /${bits}: write ${start}/${bits} for the network, or ${text} for the single address`,
    }
  }
  return unmapped({ address, bits })
}

function firstAddress(address: Address, bits: number): Address {
  const masked = address.toByteArray().map((byte, index) => {
    const kept = Math.min(8, Math.max(0, bits - 8 * index))
    return byte & (0xff00 >> kept)
  })
  return ipaddr.fromByteArray(masked)
}

/** Converts an IPv4-mapped network (RFC 4291 2.5.5.2) to the IPv4 network that it maps. */
function unmapped({ address, bits }: Network): Network {
  if (address instanceof ipaddr.IPv4 || !address.isIPv4MappedAddress()) return { address, bits }
  return { address: address.toIPv4Address(), bits: bits - 96 }
}
