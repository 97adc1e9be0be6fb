import assert from 'node:assert/strict'
import { isIP } from 'node:net'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  canonicalAddress,
  clientKey,
  clientNetwork,
  LOCAL_NETWORKS,
  parseNetworks,
  readNetworks,
} from '../../../proxy/net/networks.ts'

/** Text, and the networks that it is read as. */
const READ_AS: readonly (readonly [text: string, networks: string])[] = [
  ['', ''],
  ['   ', ''],
  ['10.0.0.0/8', '10.0.0.0/8'],
  ['10.1.2.3', '10.1.2.3/32'],
  ['::1', '::1/128'],
  ['2001:DB8:0:0::/32', '2001:db8::/32'],
  ['10.0.0.0/8, 192.168.0.0/16 ,fc00::/7', '10.0.0.0/8,192.168.0.0/16,fc00::/7'],
  ['0.0.0.0/0', '0.0.0.0/0'],
  ['::/0', '::/0'],
  // IPv4-mapped networks are IPv4 networks.
  ['::ffff:10.0.0.0/104', '10.0.0.0/8'],
  ['::ffff:10.1.2.3', '10.1.2.3/32'],
  ['::ffff:0:0/96', '0.0.0.0/0'],
]

for (const [text, networks] of READ_AS) {
  test(`"${text}" is the set of networks "${networks}"`, () => {
    const set = parseNetworks(text)
    assert.equal(String(set), networks)
    assert.equal(set.size, networks === '' ? 0 : networks.split(',').length)
  })
}

/** Text, the wrong element, and the reason. */
const MISTAKES: readonly (readonly [text: string, element: string, reason: RegExp])[] = [
  ['10.0.0.0/8,nonsense', 'nonsense', /is not a network/],
  ['10.0.0.0/8,', '', /is not a network/],
  ['10.0.0.0/33', '10.0.0.0/33', /longer than \/32/],
  ['::/129', '::/129', /longer than \/128/],
  ['10.0.0.0/', '10.0.0.0/', /is not a network/],
  ['10.0.0.0/08', '10.0.0.0/08', /is not a network/],
  ['10.0.0.0/-1', '10.0.0.0/-1', /is not a network/],
  ['10.0.0.0/8/8', '10.0.0.0/8/8', /is not a network/],
  ['10.0.0.0/255.0.0.0', '10.0.0.0/255.0.0.0', /is not a network/],
  // The old inet_aton forms are ambiguous.
  ['127.1', '127.1', /is not a network/],
  ['010.0.0.0/8', '010.0.0.0/8', /is not a network/],
  ['0x7f.0.0.1', '0x7f.0.0.1', /is not a network/],
  ['fe80::1%eth0', 'fe80::1%eth0', /is not a network/],
  ['localhost', 'localhost', /is not a network/],
  // Set bits after the prefix are a mistake: the message offers both corrections.
  ['10.1.2.3/8', '10.1.2.3/8', /10\.0\.0\.0\/8 for the network, or 10\.1\.2\.3 for the single address/],
  ['2001:db8::1/32', '2001:db8::1/32', /2001:db8::\/32 for the network/],
  ['::ffff:10.0.0.0/90', '::ffff:10.0.0.0/90', /is not the first address of a \/90/],
]

for (const [text, element, reason] of MISTAKES) {
  test(`"${text}" is refused because of "${element}"`, () => {
    const reading = readNetworks(text)
    assert.ok('mistakes' in reading)
    assert.deepEqual(
      reading.mistakes.map((mistake) => mistake.element),
      [element],
    )
    assert.match(reading.mistakes[0]!.reason, reason)
  })
}

test('every wrong element of a list is named', () => {
  assert.throws(() => parseNetworks('a, 10.0.0.0/8, b/9'), { name: 'RangeError', message: /"a" .*"b\/9" /s })
})

/** Networks, an address, and whether they contain it. */
const MEMBERS: readonly (readonly [networks: string, address: string | undefined, contained: boolean])[] = [
  ['10.0.0.0/8', '10.255.255.255', true],
  ['10.0.0.0/8', '11.0.0.0', false],
  ['10.1.2.3', '10.1.2.3', true],
  ['10.1.2.3', '10.1.2.4', false],
  ['10.0.0.0/9', '10.127.255.255', true],
  ['10.0.0.0/9', '10.128.0.0', false],
  ['0.0.0.0/0', '255.255.255.255', true],
  // IPv4-mapped addresses, as a dual-stack listener reports them, in both spellings.
  ['10.0.0.0/8', '::ffff:10.1.2.3', true],
  ['10.0.0.0/8', '::ffff:a01:203', true],
  ['10.0.0.0/8', '::FFFF:10.1.2.3', true],
  ['::ffff:10.0.0.0/104', '10.1.2.3', true],
  ['::/0', '::ffff:10.1.2.3', false],
  ['::/0', '10.1.2.3', false],
  ['0.0.0.0/0', '::1', false],
  // IPv4-compatible, not IPv4-mapped (RFC 4291 2.5.5.1).
  ['10.0.0.0/8', '::10.1.2.3', false],
  ['::10.0.0.0/104', '10.1.2.3', false],
  ['::10.0.0.0/104', '::10.1.2.3', true],
  ['fe80::/10', 'fe80::1%eth0', true],
  ['fe80::/10', 'fec0::1%eth0', false],
  ['10.0.0.0/8', '::ffff:10.1.2.3%1', true],
  ['2001:db8::/33', '2001:db8:7fff::1', true],
  ['2001:db8::/33', '2001:db8:8000::1', false],
  // Text that is not an address is in no network.
  ['0.0.0.0/0,::/0', '', false],
  ['0.0.0.0/0,::/0', undefined, false],
  ['0.0.0.0/0,::/0', 'localhost', false],
  ['0.0.0.0/0,::/0', '10.1', false],
  ['0.0.0.0/0,::/0', '010.0.0.1', false],
  ['0.0.0.0/0,::/0', '10.0.0.1%eth0', false],
  ['0.0.0.0/0,::/0', '10.0.0.0/8', false],
  ['', '10.1.2.3', false],
]

for (const [networks, address, contained] of MEMBERS) {
  test(`${address} is ${contained ? '' : 'not '}in "${networks}"`, () => {
    assert.equal(parseNetworks(networks).has(address), contained)
  })
}

test('the local networks are loopback and the private ranges, and nothing else', () => {
  const local = parseNetworks(LOCAL_NETWORKS)
  for (const inside of ['127.255.0.1', '10.0.0.1', '172.16.0.1', '172.31.255.255', '192.168.255.1', '::1', 'fd12::1']) {
    assert.ok(local.has(inside), inside)
  }
  for (const outside of [
    '126.0.0.1',
    '11.0.0.1',
    '172.15.0.1',
    '172.32.0.0',
    '192.169.0.1',
    '::2',
    'fe00::1',
    '8.8.8.8',
  ]) {
    assert.ok(!local.has(outside), outside)
  }
})

test('no text makes has, clientKey or canonicalAddress throw', () => {
  const everything = parseNetworks('0.0.0.0/0,::/0')
  const addressLike = fc.string({ unit: fc.constantFrom(...'0123456789abcfF:.%/x '), maxLength: 45 })
  const zoned = fc.tuple(fc.ipV6(), fc.constantFrom('', '%', '%eth0', '%a.b', '%%')).map((parts) => parts.join(''))
  fc.assert(
    fc.property(fc.oneof(fc.string(), addressLike, fc.ipV4(), fc.ipV6(), zoned), (text) => {
      assert.equal(everything.has(text), isIP(text) !== 0)
      assert.equal(canonicalAddress(text) === undefined, isIP(text) === 0)
      assert.equal(typeof clientKey(text), 'string')
    }),
    { numRuns: 3000 },
  )
})

test('IPv6 text is read as the WHATWG URL parser reads it', () => {
  const group = fc.constantFrom('0', '1', 'ffff', 'a01', '')
  const tail = fc.constantFrom('', '10.1.2.3', '::')
  const text = fc.tuple(fc.array(group, { maxLength: 8 }), tail).map(([groups, end]) => [...groups, end].join(':'))
  fc.assert(
    fc.property(fc.oneof(fc.ipV6(), text), (address) => {
      fc.pre(isIP(address) === 6)
      const ours = canonicalAddress(address) ?? ''
      const asIPv6 = isIP(ours) === 6 ? ours : `::ffff:${ours}`
      assert.equal(hostOf(asIPv6), hostOf(address))
      assert.ok(isIP(ours) === 4 || hostOf(ours) === `[${ours}]`)
    }),
    { numRuns: 3000 },
  )
})

function hostOf(address: string): string {
  return new URL(`http://[${address}]/`).hostname
}

/** An address, and the key that its sessions are counted under. */
const KEYS: readonly (readonly [address: string, key: string])[] = [
  ['10.1.2.3', '10.1.2.3'],
  ['::ffff:10.1.2.3', '10.1.2.3'],
  ['::ffff:a01:203', '10.1.2.3'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:DB8:1:2::', '2001:db8:1:2::/64'],
  ['2001:db8:1:3::6', '2001:db8:1:3::/64'],
  ['fe80::1%eth0', 'fe80::/64'],
  ['::1', '::/64'],
  ['', ''],
  ['no address', 'no address'],
]

for (const [address, key] of KEYS) {
  test(`sessions from "${address}" are counted under "${key}"`, () => assert.equal(clientKey(address), key))
}

/** An address, and its canonical spelling. */
const SPELLINGS: readonly (readonly [address: string | undefined, spelling: string | undefined])[] = [
  ['10.1.2.3', '10.1.2.3'],
  ['::ffff:10.1.2.3', '10.1.2.3'],
  ['2001:0DB8:0:0:0:0:0:01', '2001:db8::1'],
  ['0:0:0:0:0:0:0:0', '::'],
  // RFC 5952 4.2.2 and 4.2.3: one zero field is not shortened, the longest run is.
  ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
  ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'],
  ['fe80::1%eth0', 'fe80::1'],
  ['10.1.2', undefined],
  [undefined, undefined],
]

for (const [address, spelling] of SPELLINGS) {
  test(`the canonical spelling of ${address} is ${spelling}`, () => assert.equal(canonicalAddress(address), spelling))
}

for (const [address, network] of [
  ['198.51.100.7', '198.51.100.0/24'],
  ['::ffff:198.51.100.7', '198.51.100.0/24'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1::/48'],
  ['fe80::1%eth0', 'fe80::/48'],
  ['nonsense', 'unknown'],
] as const) {
  test(`the network by which people recognize the client ${address} is ${network}`, () => {
    assert.equal(clientNetwork(address), network)
  })
}
