/** Version 2 of the PROXY protocol at the level of bytes. The source file names the specification. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { crc32c, MAX_V2_BLOCK } from '../../../proxy/net/proxy-protocol.ts'
import { expectVerdict, REST, read, type Verdict } from '../../support/sockets/proxy-header.ts'

const SIGNATURE = Buffer.from('0d0a0d0a000d0a515549540a', 'hex')
const LOCAL = 0x20
const PROXY = 0x21
const [UNSPEC, TCP4, UDP4, TCP6, UDP6, UNIX_STREAM, UNIX_DGRAM] = [0x00, 0x11, 0x12, 0x21, 0x22, 0x31, 0x32]

function v2(command: number, family: number, ...block: readonly Buffer[]): Buffer {
  const body = Buffer.concat(block)
  const fixed = Buffer.from([...SIGNATURE, command, family, body.length >> 8, body.length & 0xff])
  return Buffer.concat([fixed, body])
}

function tlv(type: number, value: Buffer | string): Buffer {
  const bytes = Buffer.from(value as string)
  return Buffer.concat([Buffer.from([type, bytes.length >> 8, bytes.length & 0xff]), bytes])
}

const V4_BLOCK = Buffer.from('0ad4042c' + '0a0b0c0d' + 'b052' + '0019', 'hex')
const V6_BLOCK = Buffer.from(
  '20010db8000000000000000000000001' + 'fd000000000000000000000000000022' + 'fffe' + '0019',
  'hex',
)
const MAPPED_BLOCK = Buffer.from(
  '00000000000000000000ffffc0000201' + '00000000000000000000ffffc0000202' + '0001' + '0019',
  'hex',
)
const UNIX_BLOCK = Buffer.concat([Buffer.from('/proc/source'), Buffer.alloc(204)])
const SSL_TLV = tlv(0x20, Buffer.concat([Buffer.from('0100000000', 'hex'), tlv(0x21, 'TLSv1.3'), tlv(0x22, 'a name')]))
const CLIENT = '10.212.4.44 45138'

/** Version 2: a title, the bytes, and the result. */
const V2: readonly (readonly [title: string, header: Buffer, verdict: Verdict])[] = [
  ['TCP over IPv4', v2(PROXY, TCP4, V4_BLOCK), CLIENT],
  ['TCP over IPv6', v2(PROXY, TCP6, V6_BLOCK), '2001:db8::1 65534'],
  ['an IPv4-mapped address', v2(PROXY, TCP6, MAPPED_BLOCK), '192.0.2.1 1'],
  ['TLVs of known and unknown types', v2(PROXY, TCP4, V4_BLOCK, tlv(2, 'host'), SSL_TLV, tlv(0xea, 'x')), CLIENT],
  ['an empty TLV', v2(PROXY, TCP4, V4_BLOCK, tlv(4, '')), CLIENT],
  ['the longest block', v2(PROXY, TCP4, V4_BLOCK, tlv(4, Buffer.alloc(MAX_V2_BLOCK - 15))), CLIENT],
  // Headers without a TCP client: the connection counts as the load balancer's own.
  ['LOCAL', v2(LOCAL, UNSPEC), 'peer'],
  ['LOCAL with a block to skip', v2(LOCAL, UNSPEC, Buffer.from('asdfghjkl')), 'peer'],
  ['LOCAL with addresses', v2(LOCAL, TCP4, V4_BLOCK), 'peer'],
  ['LOCAL with addresses and bytes that are not TLVs', v2(LOCAL, TCP6, V6_BLOCK, Buffer.from('fake_tlv')), 'peer'],
  ['LOCAL with UNIX addresses', v2(LOCAL, UNIX_STREAM, UNIX_BLOCK), 'peer'],
  ['PROXY of an unspecified family', v2(PROXY, UNSPEC), 'peer'],
  ['PROXY of an unspecified family, with a block', v2(PROXY, 0x01, Buffer.from('whatever')), 'peer'],
  ['PROXY of an unspecified transport', v2(PROXY, 0x10, Buffer.from('whatever')), 'peer'],
  ['UDP over IPv4', v2(PROXY, UDP4, V4_BLOCK), 'peer'],
  ['UDP over IPv6', v2(PROXY, UDP6, V6_BLOCK), 'peer'],
  ['UNIX stream', v2(PROXY, UNIX_STREAM, UNIX_BLOCK), 'peer'],
  ['UNIX datagram', v2(PROXY, UNIX_DGRAM, UNIX_BLOCK, tlv(4, 'x')), 'peer'],
  // Not a header.
  ['a wrong letter in the signature', Buffer.from('\r\n\r\n\0\r\nQUIP\n\x20\x00\x00\x00', 'latin1'), 'no_header'],
  ['CRLF CRLF before any header', Buffer.from('\r\n\r\n'), 'no_header'],
  // Values that the specification does not assign.
  ['version 1 in binary', v2(0x11, TCP4, V4_BLOCK), 'unsupported'],
  ['version 3', v2(0x31, TCP4, V4_BLOCK), 'unsupported'],
  ['command 2', v2(0x22, TCP4, V4_BLOCK), 'unsupported'],
  ['command 15', v2(0x2f, UNSPEC), 'unsupported'],
  ['family 4', v2(PROXY, 0x41, V4_BLOCK), 'unsupported'],
  ['family 15 with LOCAL', v2(LOCAL, 0xf0), 'unsupported'],
  ['transport 3', v2(PROXY, 0x13, V4_BLOCK), 'unsupported'],
  ['transport 3 with LOCAL', v2(LOCAL, 0x03), 'unsupported'],
  // Blocks.
  ['no addresses', v2(PROXY, TCP4), 'malformed'],
  ['IPv4 addresses cut short', v2(PROXY, TCP4, V4_BLOCK.subarray(0, 11)), 'malformed'],
  ['IPv4 addresses instead of IPv6', v2(PROXY, TCP6, V4_BLOCK), 'malformed'],
  ['IPv4 addresses instead of IPv6, with LOCAL', v2(LOCAL, TCP6, V4_BLOCK), 'malformed'],
  ['UNIX addresses cut short', v2(PROXY, UNIX_STREAM, UNIX_BLOCK.subarray(1)), 'malformed'],
  ['one byte after the addresses', v2(PROXY, TCP4, V4_BLOCK, Buffer.of(4)), 'malformed'],
  ['two bytes after the addresses', v2(PROXY, TCP4, V4_BLOCK, Buffer.of(4, 0)), 'malformed'],
  ['a TLV that is longer than its space', v2(PROXY, TCP4, V4_BLOCK, Buffer.of(4, 0, 1)), 'malformed'],
  [
    'a TLV that extends into the mail',
    v2(PROXY, TCP4, V4_BLOCK, Buffer.of(2, 0xff, 0xff), Buffer.alloc(9)),
    'malformed',
  ],
  ['what are no TLVs', v2(PROXY, TCP4, V4_BLOCK, Buffer.from('fake_tlv')), 'malformed'],
  [
    'more than the longest block',
    v2(PROXY, TCP4, V4_BLOCK, tlv(4, Buffer.alloc(MAX_V2_BLOCK - 14))),
    'header_too_long',
  ],
]

for (const [title, header, verdict] of V2) {
  test(`version 2: ${title} is ${verdict} (PXP-10)`, () => {
    if (header.length < 500) return expectVerdict(header, verdict)
    // every split of a long header would take seconds and add nothing to the splits of the short ones
    const bytes = Buffer.concat([header, Buffer.from(REST)])
    const byBytes = Array.from(bytes, (byte) => Buffer.of(byte))
    for (const chunks of [[bytes], byBytes]) assert.equal(read(chunks).verdict, verdict)
  })
}

test('version 2: an announced length of 65,535 is refused before a byte of the block is read', () => {
  const fixed = Buffer.from([...SIGNATURE, PROXY, TCP4, 0xff, 0xff])
  assert.equal(read([fixed.subarray(0, 15)]).verdict, 'more')
  assert.equal(read([fixed]).verdict, 'header_too_long')
})

test('version 2: a wrong version, command or family is refused at its byte', () => {
  assert.equal(read([Buffer.from([...SIGNATURE, 0x31])]).verdict, 'unsupported')
  assert.equal(read([Buffer.from([...SIGNATURE, 0x22])]).verdict, 'unsupported')
  assert.equal(read([Buffer.from([...SIGNATURE, PROXY, 0x41])]).verdict, 'unsupported')
})

/** The header with its CRC32c in the four zero bytes at `position`. */
function withChecksum(header: Buffer, position: number): Buffer {
  const bytes = Buffer.from(header)
  bytes.writeUInt32BE(crc32c(bytes), position)
  return bytes
}

const CRC_TLV = tlv(3, Buffer.alloc(4))
const WITH_CRC = withChecksum(v2(PROXY, TCP4, V4_BLOCK, CRC_TLV, tlv(2, 'host')), 16 + 12 + 3)

test('CRC32c matches the published vectors', () => {
  // RFC 3720 B.4, and the check value of CRC-32/ISCSI.
  assert.equal(crc32c(Buffer.from('123456789')), 0xe306_9283)
  assert.equal(crc32c(Buffer.alloc(32)), 0x8a91_36aa)
  assert.equal(crc32c(Buffer.alloc(32, 0xff)), 0x62a8_ab43)
  assert.equal(crc32c(Buffer.from(Array.from({ length: 32 }, (_, index) => index))), 0x46dd_794e)
  assert.equal(crc32c(Buffer.alloc(0)), 0)
})

test('version 2: a correct checksum is accepted', () => expectVerdict(WITH_CRC, CLIENT))

test('version 2: with one bit flipped, a header with a checksum names no client', () => {
  const crcType = 16 + V4_BLOCK.length
  for (let bit = 0; bit < WITH_CRC.length * 8; bit += 1) {
    const bytes = Buffer.from(WITH_CRC)
    const at = bit >> 3
    bytes[at] = bytes[at]! ^ (1 << (bit & 7))
    const { verdict } = read([Buffer.concat([bytes, Buffer.alloc(MAX_V2_BLOCK)])])
    // a checksum cannot protect its own presence
    assert.equal(verdict.includes(' '), at === crcType, `bit ${bit}: ${verdict}`)
  }
})

test('version 2: a checksum of another length, and two checksums, are malformed', () => {
  expectVerdict(v2(PROXY, TCP4, V4_BLOCK, tlv(3, Buffer.alloc(3))), 'malformed')
  expectVerdict(v2(PROXY, TCP4, V4_BLOCK, tlv(3, Buffer.alloc(5))), 'malformed')
  expectVerdict(v2(PROXY, TCP4, V4_BLOCK, CRC_TLV, CRC_TLV), 'malformed')
})

test('version 2: a checksum of zeros is not accepted', () => {
  expectVerdict(v2(PROXY, TCP4, V4_BLOCK, CRC_TLV), 'bad_checksum')
  expectVerdict(v2(PROXY, UDP4, V4_BLOCK, CRC_TLV), 'bad_checksum')
})
