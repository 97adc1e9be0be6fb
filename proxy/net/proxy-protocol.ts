/**
 * Receiver of HAProxy's PROXY protocol, versions 1 and 2 (https://www.haproxy.org/download/3.2/doc/proxy-protocol.txt,
 * "the specification" below). Pure: it reads bytes and returns a result. The caller owns the socket and the time limit, and
 * decides which peers are trusted.
 *
 * The header determines the client's address, so this is a security boundary: any deviation from the protocol is refused,
 * and as early as possible. The result never depends on how the bytes are split into chunks.
 */
import { isIPv4, isIPv6 } from 'node:net'
import ipaddr from 'ipaddr.js'
import { canonicalAddress } from './networks.ts'

/** Why a header is refused. The connection is then closed without a reply. */
export type ProxyHeaderError =
  /** The first bytes begin neither version: no header where one is required. */
  | 'no_header'
  /** Version 1 without CRLF in its first 107 bytes, or version 2 announcing more than `MAX_V2_BLOCK`. */
  | 'header_too_long'
  /** A header with wrong fields, a stray CR or LF, addresses cut short, or TLVs that do not fill their space. */
  | 'malformed'
  /** Another version, command, address family or transport than the specification assigns. */
  | 'unsupported'
  /** The CRC32c that the header carries is not that of the header. */
  | 'bad_checksum'

/** The client's endpoint as the load balancer reports it; the address in the spelling of `canonicalAddress`. */
export interface ProxySource {
  readonly address: string
  /** 0 to 65535. */
  readonly port: number
}

/**
 * `more`: the header is not complete. `source` is undefined if the header names no client that this proxy can use (UNKNOWN,
 * LOCAL, UNSPEC, UDP, UNIX); the client is then the peer itself. `rest` holds the bytes after the header.
 */
export type ProxyHeader =
  | 'more'
  | { readonly source: ProxySource | undefined; readonly rest: Buffer }
  | { readonly error: ProxyHeaderError }

/** Longest version 1 line in bytes, CRLF included (specification, 2.1). */
const MAX_V1_LINE = 107

/**
 * Longest block after the 16 fixed bytes of version 2. The specification allows 65,535; real headers with every TLV
 * stay below 1,000, and a client certificate in a TLV below 4,096.
 */
export const MAX_V2_BLOCK = 4096

const V1_START = Buffer.from('PROXY ', 'latin1')
const V2_SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1')
const V2_FIXED_LENGTH = V2_SIGNATURE.length + 4
const TLV_HEADER_LENGTH = 3
const TLV_CRC32C = 0x03
const CRC_LENGTH = 4

const CR = 0x0d
const LF = 0x0a

/** Collects the chunks of one connection until its header is complete. Holds at most `MAX_V2_BLOCK` + 16 bytes. */
export class ProxyHeaderReader {
  #held: Buffer = Buffer.alloc(0)

  /** Reads the next bytes. After a result other than `more`, do not call it again. */
  push(chunk: Buffer): ProxyHeader {
    // copied even if nothing is held: the next read may overwrite the buffer of the chunk
    const bytes = Buffer.concat([this.#held, chunk])
    const header = readProxyHeader(bytes)
    this.#held = header === 'more' ? bytes : Buffer.alloc(0)
    return header
  }
}

/** Reads a header from the first bytes of a connection. */
export function readProxyHeader(bytes: Buffer): ProxyHeader {
  if (bytes.length === 0) return 'more'
  const [start, read] = bytes[0] === CR ? [V2_SIGNATURE, readV2] : [V1_START, readV1]
  const known = Math.min(bytes.length, start.length)
  if (bytes.compare(start, 0, known, 0, known) !== 0) return { error: 'no_header' }
  return known < start.length ? 'more' : read(bytes)
}

/** Version 1: one line of US-ASCII (specification, 2.1). */
function readV1(bytes: Buffer): ProxyHeader {
  // Neither a lone CR nor a lone LF ends the line, so the first byte that is not printable must be the CR of CRLF.
  const end = bytes.subarray(0, MAX_V1_LINE - 1).findIndex((byte) => byte < 0x20 || byte > 0x7e)
  if (end === -1) return bytes.length < MAX_V1_LINE - 1 ? 'more' : { error: 'header_too_long' }
  if (bytes[end] !== CR) return { error: 'malformed' }
  if (end + 1 === bytes.length) return 'more'
  if (bytes[end + 1] !== LF) return { error: 'malformed' }
  return readV1Fields(bytes.toString('latin1', V1_START.length, end), bytes.subarray(end + 2))
}

/** The fields between `PROXY ` and CRLF: protocol, source and destination address, source and destination port. */
function readV1Fields(text: string, rest: Buffer): ProxyHeader {
  // "The receiver must ignore anything presented before the CRLF" of UNKNOWN.
  if (text === 'UNKNOWN' || text.startsWith('UNKNOWN ')) return { source: undefined, rest }
  const [protocol, source = '', destination = '', sourcePort = '', destinationPort = '', ...surplus] = text.split(' ')
  const isAddress = protocol === 'TCP4' ? isIPv4 : protocol === 'TCP6' ? isPlainIPv6 : () => false
  const valid =
    surplus.length === 0 && [source, destination].every(isAddress) && [sourcePort, destinationPort].every(isPort)
  const address = valid ? canonicalAddress(source) : undefined
  if (address === undefined) return { error: 'malformed' }
  return { source: { address, port: Number(sourcePort) }, rest }
}

function isPlainIPv6(text: string): boolean {
  return isIPv6(text) && !text.includes('%')
}

/** Decimal without leading zeroes, which could be taken for octal (specification, 2.1). */
function isPort(text: string): boolean {
  return /^(?:0|[1-9]\d{0,4})$/.test(text) && Number(text) <= 65_535
}

/** The addresses after the fixed part of version 2, by the family in the upper half of byte 14 (specification, 2.2). */
const FAMILIES: readonly { readonly addressLength: number; readonly named: boolean }[] = [
  { addressLength: 0, named: false }, // UNSPEC
  { addressLength: 4, named: true }, // INET
  { addressLength: 16, named: true }, // INET6
  { addressLength: 108, named: false }, // UNIX
]
const PORT_LENGTH = 2
const UNSPEC = 0
const STREAM = 1
const DGRAM = 2

/** Version 2: 16 fixed bytes, then a block of addresses and TLVs (specification, 2.2). */
function readV2(bytes: Buffer): ProxyHeader {
  // refused at the first wrong byte, so that a client does not wait for a block that will not be read
  const [version, command] = halves(bytes[12])
  if (version === undefined || command === undefined) return 'more'
  if (version !== 2 || command > 1) return { error: 'unsupported' }
  const [family, transport] = halves(bytes[13])
  if (family === undefined || transport === undefined) return 'more'
  if (family >= FAMILIES.length || transport > DGRAM) return { error: 'unsupported' }
  if (bytes.length < V2_FIXED_LENGTH) return 'more'
  const end = V2_FIXED_LENGTH + bytes.readUInt16BE(14)
  if (end > V2_FIXED_LENGTH + MAX_V2_BLOCK) return { error: 'header_too_long' }
  if (bytes.length < end) return 'more'
  const block = readV2Block(bytes.subarray(0, end), { local: command === 0, family, transport })
  return 'error' in block ? block : { ...block, rest: bytes.subarray(end) }
}

function halves(byte: number | undefined): readonly [number, number] | readonly [] {
  return byte === undefined ? [] : [byte >> 4, byte & 0x0f]
}

interface V2Kind {
  readonly local: boolean
  readonly family: number
  readonly transport: number
}

function readV2Block(
  header: Buffer,
  { local, family, transport }: V2Kind,
): { readonly source: ProxySource | undefined } | { readonly error: ProxyHeaderError } {
  const nameless = { source: undefined }
  // "The receiver should ignore address information", and without it the start of the TLVs is unknown.
  if (family === UNSPEC || transport === UNSPEC) return nameless
  const { addressLength, named } = FAMILIES[family]!
  const tlvs = V2_FIXED_LENGTH + 2 * (addressLength + (named ? PORT_LENGTH : 0))
  if (header.length < tlvs) return { error: 'malformed' }
  // LOCAL is a connection of the load balancer itself, such as a health check: the block is discarded
  if (local) return nameless
  const error = checkTlvs(header, tlvs)
  if (error !== undefined) return { error }
  if (!named || transport !== STREAM) return nameless
  return { source: readV2Source(header, addressLength) }
}

function readV2Source(header: Buffer, addressLength: number): ProxySource {
  const bytes = header.subarray(V2_FIXED_LENGTH, V2_FIXED_LENGTH + addressLength)
  const text = ipaddr.fromByteArray([...bytes]).toString()
  return {
    address: canonicalAddress(text) ?? text,
    port: header.readUInt16BE(V2_FIXED_LENGTH + 2 * addressLength),
  }
}

/** The TLVs must fill their space exactly; a CRC32c among them must be right (specification, 2.2.3). None is used. */
function checkTlvs(header: Buffer, start: number): ProxyHeaderError | undefined {
  const checksums: number[] = []
  let at = start
  while (at < header.length) {
    if (at + TLV_HEADER_LENGTH > header.length) return 'malformed'
    const value = at + TLV_HEADER_LENGTH
    const length = header.readUInt16BE(at + 1)
    if (header[at] === TLV_CRC32C) {
      if (length !== CRC_LENGTH) return 'malformed'
      checksums.push(value)
    }
    at = value + length
  }
  if (at > header.length || checksums.length > 1) return 'malformed'
  return checksums.every((position) => hasChecksum(header, position)) ? undefined : 'bad_checksum'
}

function hasChecksum(header: Buffer, position: number): boolean {
  const zeroed = Buffer.from(header).fill(0, position, position + CRC_LENGTH)
  return crc32c(zeroed) === header.readUInt32BE(position)
}

/** CRC32c (Castagnoli; RFC 9260, appendix A), byte by byte. */
export function crc32c(bytes: Uint8Array): number {
  const crc = bytes.reduce((sum, byte) => CRC32C_TABLE[(sum ^ byte) & 0xff]! ^ (sum >>> 8), 0xffff_ffff)
  return (crc ^ 0xffff_ffff) >>> 0
}

const CRC32C_POLYNOMIAL = 0x82f6_3b78
const CRC32C_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let entry = byte
  for (let bit = 0; bit < 8; bit += 1) entry = (entry >>> 1) ^ (entry & 1 ? CRC32C_POLYNOMIAL : 0)
  return entry
})
