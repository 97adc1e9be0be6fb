import assert from 'node:assert/strict'
import { lookup } from 'node:dns/promises'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { ForeignHost, lookupOwnFirst, ownAddresses } from '../../../proxy/net/own-addresses.ts'

function finding(...addresses: readonly string[]) {
  return async () => addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }))
}

test('of the addresses of a name, those of this machine count, each once', async () => {
  const find = finding('192.0.2.1', '127.0.0.1', '127.0.1.1', '127.0.0.1', '2001:db8::1')
  assert.deepEqual(await ownAddresses('proxy-admin', find), ['127.0.0.1', '127.0.1.1'])
})

test('a name whose addresses all belong to other machines is an error that lists them', async () => {
  await assert.rejects(
    ownAddresses('proxy-admin', finding('192.0.2.1', '2001:db8::1')),
    (error) =>
      error instanceof ForeignHost &&
      error.message === 'the host name resolves to 192.0.2.1, 2001:db8::1, which this machine does not have',
  )
})

test('an IP address is not looked up', async () => {
  const find = () => assert.fail('looked up')
  for (const address of ['192.0.2.1', '0.0.0.0', '::']) assert.deepEqual(await ownAddresses(address, find), [address])
})

test('localhost is an address of this machine', async () => {
  assert.match((await ownAddresses('localhost'))[0], /^(127\.0\.0\.1|::1)$/)
  await assert.rejects(ownAddresses('no-such-host.invalid'), { syscall: 'getaddrinfo' })
})

test('lookupOwnFirst answers like dns.lookup, with one address or with all', async () => {
  const find = promisify(lookupOwnFirst)
  const all = await lookup('localhost', { all: true })
  assert.deepEqual(await find('localhost', { all: true }), all)
  assert.ok(all.some(({ address }) => address === '127.0.0.1' || address === '::1'))
  assert.equal(await find('localhost', { family: 4 }), '127.0.0.1')
  await assert.rejects(find('no-such-host.invalid', { all: true }), { syscall: 'getaddrinfo' })
})
