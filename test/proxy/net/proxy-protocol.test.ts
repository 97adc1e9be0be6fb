/** The receiver of the PROXY protocol at the level of bytes: version 1, and what both versions have in common. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ProxyHeaderReader } from '../../../proxy/net/proxy-protocol.ts'
import { expectVerdict, read, type Verdict, verdictOf } from '../../support/sockets/proxy-header.ts'

const LONGEST_V6 = 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'

/** Version 1: the line without CRLF, and the result. */
const V1: readonly (readonly [line: string, verdict: Verdict])[] = [
  ['PROXY TCP4 192.0.2.1 198.51.100.2 56324 25', '192.0.2.1 56324'],
  ['PROXY TCP4 1.2.3.4 5.6.7.8 0 65535', '1.2.3.4 0'],
  ['PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535', '255.255.255.255 65535'],
  ['PROXY TCP6 2001:db8::1 2001:db8::2 8000 65535', '2001:db8::1 8000'],
  ['PROXY TCP6 2001:DB8:0:0:0:0:0:0001 ::1 1 1', '2001:db8::1 1'],
  [`PROXY TCP6 ${LONGEST_V6} ${LONGEST_V6} 65535 65535`, `${LONGEST_V6} 65535`],
  ['PROXY TCP6 ::ffff:192.0.2.1 ::1 1 1', '192.0.2.1 1'],
  ['PROXY UNKNOWN', 'peer'],
  ['PROXY UNKNOWN whatever this is', 'peer'],
  ['PROXY UNKNOWN 192.0.2.1 198.51.100.2 56324 25', 'peer'],
  [`PROXY UNKNOWN ${LONGEST_V6} ${LONGEST_V6} 65535 65535`, 'peer'],
  // Not a header.
  ['EHLO app', 'no_header'],
  ['GET / HTTP/1.1', 'no_header'],
  ['proxy TCP4 1.2.3.4 5.6.7.8 1 1', 'no_header'],
  ['NOTPROX TCP4 1.2.3.4 5.6.7.8 1 1', 'no_header'],
  ['PROXYTCP4 1.2.3.4 5.6.7.8 1 1', 'no_header'],
  [' PROXY TCP4 1.2.3.4 5.6.7.8 1 1', 'no_header'],
  ['\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 'no_header'],
  ['PROXY', 'no_header'],
  // Protocols.
  ['PROXY ', 'malformed'],
  ['PROXY UDP4 1.2.3.4 5.6.7.8 1 1', 'malformed'],
  ['PROXY tcp4 1.2.3.4 5.6.7.8 1 1', 'malformed'],
  ['PROXY TCP 1.2.3.4 5.6.7.8 1 1', 'malformed'],
  ['PROXY UNKNOWNS', 'malformed'],
  ['PROXY unknown', 'malformed'],
  // Fields.
  ['PROXY TCP4', 'malformed'],
  ['PROXY TCP4 1.2.3.4', 'malformed'],
  ['PROXY TCP4 1.2.3.4 5.6.7.8', 'malformed'],
  ['PROXY TCP4 1.2.3.4 5.6.7.8 1', 'malformed'],
  ['PROXY TCP4 1.2.3.4 5.6.7.8 1 ', 'malformed'],
  ['PROXY TCP4 1.2.3.4 5.6.7.8 1 1 ', 'malformed'],
  ['PROXY TCP4 1.2.3.4 5.6.7.8 1 1 1', 'malformed'],
  ['PROXY  TCP4 1.2.3.4 5.6.7.8 1 1', 'malformed'],
  ['PROXY TCP4  1.2.3.4 5.6.7.8 1 1', 'malformed'],
  ['PROXY TCP4 1.2.3.4  5.6.7.8 1 1', 'malformed'],
  ['PROXY TCP4 1.2.3.4 5.6.7.8  1 1', 'malformed'],
  ['PROXY TCP4 1.2.3.4 5.6.7.8 1  1', 'malformed'],
  // Addresses.
  ['PROXY TCP6 1.2.3.4 5.6.7.8 1 1', 'malformed'],
  ['PROXY TCP4 2001:db8::1 2001:db8::2 1 1', 'malformed'],
  ['PROXY TCP6 1.2.3.4 2001:db8::2 1 1', 'malformed'],
  ['PROXY TCP4 1.2.3.4 2001:db8::2 1 1', 'malformed'],
  ['PROXY TCP4 1.2.3.a 5.6.7.8 1 1', 'malformed'],
  ['PROXY TCP4 1.2.3.256 5.6.7.8 1 1', 'malformed'],
  ['PROXY TCP4 1.2.3.4 5.6.7.256 1 1', 'malformed'],
  ['PROXY TCP4 01.2.3.4 5.6.7.8 1 1', 'malformed'],
  ['PROXY TCP4 1.2.3 5.6.7.8 1 1', 'malformed'],
  ['PROXY TCP4 0x1.2.3.4 5.6.7.8 1 1', 'malformed'],
  ['PROXY TCP6 2001:db8::g 2001:db8::2 1 1', 'malformed'],
  ['PROXY TCP6 2001:db8::1 2001:db8::h 1 1', 'malformed'],
  ['PROXY TCP6 2001::db8::1 2001:db8::2 1 1', 'malformed'],
  ['PROXY TCP6 fe80::1%eth0 fe80::2 1 1', 'malformed'],
  ['PROXY TCP6 fe80::1 fe80::2%eth0 1 1', 'malformed'],
  ['PROXY TCP6 [2001:db8::1] 2001:db8::2 1 1', 'malformed'],
  // Ports.
  ['PROXY TCP4 1.2.3.4 5.6.7.8 65536 1', 'malformed'],
  ['PROXY TCP4 1.2.3.4 5.6.7.8 1 65536', 'malformed'],
  ['PROXY TCP4 1.2.3.4 5.6.7.8 02501 1', 'malformed'],
  ['PROXY TCP4 1.2.3.4 5.6.7.8 1 00', 'malformed'],
  ['PROXY TCP4 1.2.3.4 5.6.7.8 -1 1', 'malformed'],
  ['PROXY TCP4 1.2.3.4 5.6.7.8 +1 1', 'malformed'],
  ['PROXY TCP4 1.2.3.4 5.6.7.8 1e3 1', 'malformed'],
  ['PROXY TCP4 1.2.3.4 5.6.7.8 0x19 1', 'malformed'],
  // Line ends and control characters.
  ['PROXY TCP4 1.2.3.4 5.6.7.8 1 1\n', 'malformed'],
  ['PROXY TCP4 1.2.3.4 5.6.7.8 1 1\r', 'malformed'],
  ['PROXY TCP4 1.2.3.4\r5.6.7.8 1 1', 'malformed'],
  ['PROXY TCP4\t1.2.3.4 5.6.7.8 1 1', 'malformed'],
  ['PROXY TCP4 1.2.3.4\x00 5.6.7.8 1 1', 'malformed'],
  ['PROXY UNKNOWN\nPROXY TCP4 1.2.3.4 5.6.7.8 1 1', 'malformed'],
  ['PROXY UNKNOWN \xe9', 'malformed'],
  // Length: the longest header has 107 bytes, including CRLF.
  [`PROXY UNKNOWN ${'*'.repeat(91)}`, 'peer'],
  [`PROXY UNKNOWN ${'*'.repeat(92)}`, 'header_too_long'],
  [`PROXY TCP4 ${'1'.repeat(200)}`, 'header_too_long'],
]

for (const [line, verdict] of V1) {
  test(`version 1: ${JSON.stringify(line)} is ${verdict} (PXP-10)`, () => expectVerdict(`${line}\r\n`, verdict))
}

test('version 1: a line that ends in a bare LF is refused at that LF', () => {
  assert.equal(read([Buffer.from('PROXY TCP4 1.2.3.4 5.6.7.8 1 1\n')]).verdict, 'malformed')
})

test('version 1: 106 bytes without CR are refused, 105 could still become a header', () => {
  const line = Buffer.from(`PROXY UNKNOWN ${'*'.repeat(92)}`)
  assert.equal(line.length, 106)
  assert.equal(read([line.subarray(0, 105)]).verdict, 'more')
  assert.equal(read([line]).verdict, 'header_too_long')
})

const SIGNATURE = Buffer.from('0d0a0d0a000d0a515549540a', 'hex')
/** Version 2: PROXY, TCP over IPv4, 26 bytes; two addresses, two ports; the TLVs CRC32C and AUTHORITY. */
const V2_BODY = '2111001a' + '0ad4042c' + '0a0b0c0d' + 'b0520019' + '030004e40ce23d' + '020004686f7374'
const V2_HEADER = Buffer.concat([SIGNATURE, Buffer.from(V2_BODY, 'hex')])

test('the first bytes determine the version', () => {
  expectVerdict(V2_HEADER, '10.212.4.44 45138')
  expectVerdict('PROXY TCP4 10.212.4.44 10.11.12.13 45138 25\r\n', '10.212.4.44 45138')
})

test('no bytes make the reader throw, and chunks never change the result (PXP-10)', () => {
  const almost = fc.tuple(
    fc.constantFrom(V2_HEADER, Buffer.from('PROXY TCP4 1.2.3.4 5.6.7.8 1 1\r\n')),
    fc.nat(),
    fc.nat(255),
  )
  const edited = almost.map(([header, at, byte]) => {
    const bytes = Buffer.from(header)
    bytes[at % bytes.length] = byte
    return bytes
  })
  const any = fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes))
  const tail = any.map((bytes) => Buffer.concat([SIGNATURE, bytes]))
  fc.assert(
    fc.property(fc.oneof(edited, any, tail), fc.nat(200), (bytes, cut) => {
      const whole = read([bytes])
      assert.deepEqual(read([bytes.subarray(0, cut), bytes.subarray(cut)]), whole)
      assert.deepEqual(read(Array.from(bytes, (byte) => Buffer.of(byte))), whole)
    }),
    { numRuns: 1000 },
  )
})

test('the reader copies the bytes that it holds', () => {
  const shared = Buffer.from('PROXY TCP4 1.2.3.4 5.6.7.8 1 1\r\n')
  const reader = new ProxyHeaderReader()
  const chunk = Buffer.from(shared.subarray(0, 20))
  assert.equal(reader.push(chunk), 'more')
  chunk.fill(0)
  assert.equal(verdictOf(reader.push(shared.subarray(20))), '1.2.3.4 1')
})

test('an empty chunk has no effect', () => {
  const reader = new ProxyHeaderReader()
  assert.equal(reader.push(Buffer.alloc(0)), 'more')
  assert.equal(verdictOf(reader.push(Buffer.from('PROXY UNKNOWN\r\n'))), 'peer')
})
