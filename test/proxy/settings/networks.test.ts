/** Networks and the names of client networks. What is refused in addition: `mistakes.test.ts`. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { clients, networks } from '../../../proxy/settings/networks.ts'

describe('Networks: ', () => {
  const ACCEPTED: readonly (readonly [text: string, networks: string])[] = [
    ['', ''],
    ['10.0.0.0/8, ::1', '10.0.0.0/8,::1/128'],
  ]
  for (const [text, written] of ACCEPTED)
    test(text || 'none', () => {
      const reading = networks(text)
      assert.ok('value' in reading)
      assert.equal(String(reading.value), written)
    })
})

test('each element that is not a network is a fault of its own', () => {
  const reading = networks('a,10.0.0.0/8,b')
  assert.ok('faults' in reading)
  assert.deepEqual(
    reading.faults.map(({ got, expected }) => [got, expected]),
    [
      ['"a"', 'a network or an address'],
      ['"b"', 'a network or an address'],
    ],
  )
})

describe('Clients: ', () => {
  const ACCEPTED: readonly (readonly [text: string, clients: readonly (readonly [string, string])[]])[] = [
    ['', []],
    ['web=10.2.3.4', [['web', '10.2.3.4/32']]],
    [
      'a=10.1.0.0/16, b=10.2.0.0/16, a=fd00::/8',
      [
        ['a', '10.1.0.0/16,fd00::/8'],
        ['b', '10.2.0.0/16'],
      ],
    ],
  ]
  for (const [text, expected] of ACCEPTED)
    test(text || 'none', () => {
      const reading = clients(text)
      assert.ok('value' in reading)
      assert.deepEqual(
        reading.value.map((client) => [client.name, String(client.networks)]),
        expected,
      )
    })
})
