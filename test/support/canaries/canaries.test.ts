/** The search for canaries must find every canary: otherwise a test that finds none proves nothing. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Canaries } from './canaries.ts'

const canaries = new Canaries()
const canary = canaries.at('a password')
const secret = canary.slice('canary'.length)
const id = canaries.hex('an id')

const LEAKS: readonly (readonly [how: string, output: string])[] = [
  ['unchanged', `the password ${canary} was refused`],
  ['in upper case', canary.toUpperCase()],
  ['by its beginning', `${canary.slice(0, 15)}...`],
  ['by its end', `...${canary.slice(-9)}`],
  ['inside JSON', JSON.stringify({ nested: JSON.stringify({ text: `"${canary}"` }) })],
  ['inside binary', Buffer.from(`\x0a\xff\x12${canary}\x00`, 'latin1').toString('latin1')],
  ['in base64', Buffer.from(canary).toString('base64')],
  ['in base64 of AUTH PLAIN', Buffer.from(`\0u\0${canary}`).toString('base64')],
  ['in base64 of AUTH PLAIN, of another length', Buffer.from(`\0us\0${canary}x`).toString('base64url')],
  ['in base64 of AUTH PLAIN, of a third length', Buffer.from(`\0use\0${canary}xy`).toString('base64')],
  ['in base64 in upper case', Buffer.from(canary.toUpperCase()).toString('base64')],
  ['in hexadecimal', Buffer.from(canary).toString('hex')],
  ['in hexadecimal capitals', Buffer.from(canary).toString('hex').toUpperCase()],
  ['after dot-stuffing', `..${canary}`],
]

for (const [how, output] of LEAKS) {
  test(`a canary is found ${how}`, () => {
    assert.deepEqual(canaries.search({ log: output, page: 'nothing' }), { 'a password': ['log'] })
  })
}

test('fewer than nine letters of a canary are not found', () => {
  assert.deepEqual(canaries.search({ log: `${secret.slice(0, 8)} ${new Canaries().at('another')}` }), {})
})

test('hexadecimal canaries are found as digits and as bytes', () => {
  assert.deepEqual(canaries.search({ log: id.toUpperCase() }), { 'an id': ['log'] })
  assert.deepEqual(canaries.search({ log: Buffer.from(id, 'hex').toString('latin1') }), { 'an id': ['log'] })
})

test('numbers and given canaries are found only as a whole, in every sink', () => {
  const number = canaries.number('a size')
  canaries.given('an address', '203.0.113.77')
  assert.deepEqual(canaries.search({ log: `SIZE=${number}`, page: '203.0.113.77', trace: number.slice(1) }), {
    'a size': ['log'],
    'an address': ['page'],
  })
})

test('a place keeps its canary, and all places are listed', () => {
  assert.equal(canaries.at('a password'), canary)
  assert.deepEqual([...canaries.places].sort(), ['a password', 'a size', 'an address', 'an id'])
})
