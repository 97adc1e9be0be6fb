/** What each reader accepts, and what it expects instead of anything else. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  anyText,
  choice,
  choiceInAnyCase,
  integer,
  integerOrAuto,
  listOf,
  optional,
  type Reader,
  ratio,
} from '../../settings/readers.ts'

type Accepted = readonly (readonly [reader: string, read: Reader<unknown>, text: string, value: unknown])[]
type Refused = readonly (readonly [reader: string, read: Reader<unknown>, text: string, ...expected: string[]])[]

const SMALL = integer(1, 64)
const CORES = (count: number) => integerOrAuto(1, 64, () => count)

const ACCEPTED: Accepted = [
  ['any text', anyText, ' x ', ' x '],
  ['choice', choice('a', 'b'), 'b', 'b'],
  ['choice in any case', choiceInAnyCase('gzip', 'none'), 'GZip', 'gzip'],
  ['integer', SMALL, '1', 1],
  ['integer', SMALL, '64', 64],
  ['integer', SMALL, '007', 7],
  ['integer or auto', CORES(4), 'auto', 4],
  ['integer or auto', CORES(128), 'auto', 64],
  ['integer or auto', CORES(0), 'auto', 1],
  ['integer or auto', CORES(4), '2', 2],
  ['ratio', ratio, '.25', 0.25],
  ['ratio', ratio, '1e-3', 0.001],
  ['optional', optional(SMALL), '', undefined],
  ['optional', optional(SMALL), '5', 5],
  ['list', listOf(SMALL), '', []],
  ['list', listOf(SMALL), '1, 2,3', [1, 2, 3]],
]

describe('A reader accepts', () => {
  for (const [reader, read, text, value] of ACCEPTED)
    test(`${reader}: ${JSON.stringify(text)}`, () => assert.deepEqual(read(text), { value }))
})

const REFUSED: Refused = [
  ['choice', choice('a', 'b'), 'A', 'one of a, b'],
  ['choice in any case', choiceInAnyCase('gzip', 'none'), 'zip', 'one of gzip, none'],
  ['integer', SMALL, '0', 'a whole number from 1 to 64'],
  ['integer', SMALL, '65', 'a whole number from 1 to 64'],
  ['integer', SMALL, '1e1', 'a whole number from 1 to 64'],
  ['integer', SMALL, '', 'a whole number from 1 to 64'],
  ['integer', integer(0, 10), '0'.repeat(16), 'a whole number from 0 to 10'],
  ['integer or auto', CORES(4), 'Auto', 'auto, or a whole number from 1 to 64'],
  ['ratio', ratio, '1.1', 'a number from 0 to 1'],
  ['ratio', ratio, '10%', 'a number from 0 to 1'],
  ['optional', optional(SMALL), 'x', 'a whole number from 1 to 64'],
  ['list', listOf(SMALL), '1,x,', 'a whole number from 1 to 64', 'a whole number from 1 to 64'],
]

describe('A reader refuses', () => {
  for (const [reader, read, text, ...expected] of REFUSED)
    test(`${reader}: ${JSON.stringify(text)}`, () => {
      const reading = read(text)
      assert.deepEqual('faults' in reading ? reading.faults.map((fault) => fault.expected) : [], expected)
    })
})

test('a reader of files gets the file system through lists and optional values', () => {
  const content: Reader<string> = (path, readText) => ({ value: readText?.(path) ?? '' })
  const readText = (path: string) => `content of ${path}`
  assert.deepEqual(optional(listOf(content))('a,b', readText), { value: ['content of a', 'content of b'] })
})
