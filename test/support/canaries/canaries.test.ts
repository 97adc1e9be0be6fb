/** The search for canaries must find what is there: otherwise a test that finds nothing says nothing. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Marks } from './canaries.ts'

const marks = new Marks()
const mark = marks.at('a password')
const secret = mark.slice('canary'.length)
const id = marks.hex('an id')

const LEAKS: readonly (readonly [how: string, output: string])[] = [
  ['as it is', `the password ${mark} was refused`],
  ['in upper case', mark.toUpperCase()],
  ['the beginning of it', `${mark.slice(0, 15)}...`],
  ['the end of it', `...${mark.slice(-9)}`],
  ['inside JSON', JSON.stringify({ nested: JSON.stringify({ text: `"${mark}"` }) })],
  ['inside binary', Buffer.from(`\x0a\xff\x12${mark}\x00`, 'latin1').toString('latin1')],
  ['in base64', Buffer.from(mark).toString('base64')],
  ['in base64 of AUTH PLAIN', Buffer.from(`\0u\0${mark}`).toString('base64')],
  ['in base64 of AUTH PLAIN, of another length', Buffer.from(`\0us\0${mark}x`).toString('base64url')],
  ['in base64 of AUTH PLAIN, of a third length', Buffer.from(`\0use\0${mark}xy`).toString('base64')],
  ['in base64 in upper case', Buffer.from(mark.toUpperCase()).toString('base64')],
  ['in hexadecimal', Buffer.from(mark).toString('hex')],
  ['in hexadecimal capitals', Buffer.from(mark).toString('hex').toUpperCase()],
  ['stuffed with a dot', `..${mark}`],
]

for (const [how, output] of LEAKS) {
  test(`a mark is found ${how}`, () => {
    assert.deepEqual(marks.search({ log: output, page: 'nothing' }), { 'a password': ['log'] })
  })
}

test('a mark is not found where fewer than nine of its letters are, or others', () => {
  assert.deepEqual(marks.search({ log: `${secret.slice(0, 8)} ${new Marks().at('another')}` }), {})
})

test('hexadecimal marks are found as digits and as octets', () => {
  assert.deepEqual(marks.search({ log: id.toUpperCase() }), { 'an id': ['log'] })
  assert.deepEqual(marks.search({ log: Buffer.from(id, 'hex').toString('latin1') }), { 'an id': ['log'] })
})

test('numbers and given marks are found whole, in every sink', () => {
  const number = marks.number('a size')
  marks.given('an address', '203.0.113.77')
  assert.deepEqual(marks.search({ log: `SIZE=${number}`, page: '203.0.113.77', trace: number.slice(1) }), {
    'a size': ['log'],
    'an address': ['page'],
  })
})

test('a place keeps its mark, and all places are known', () => {
  assert.equal(marks.at('a password'), mark)
  assert.deepEqual([...marks.places].sort(), ['a password', 'a size', 'an address', 'an id'])
})
