/** A table of settings: values or all mistakes, and the description of what is in effect. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { anyText, integer, optional, type Reader } from '../../settings/readers.ts'
import { defined, parse, type Table, valuesInEffect } from '../../settings/table.ts'

interface Effective {
  readonly size: number
  readonly name?: string
}

const content: Reader<string> = (path, readText) => ({ value: readText?.(path) ?? '' })

const TABLE = {
  size: { variable: 'A_SIZE', default: '5', meaning: '', read: integer(1, 9), effective: ({ size }) => size },
  name: { variable: 'A_NAME', default: '', meaning: '', read: optional(anyText), effective: ({ name }) => name },
  key: {
    variable: 'A_KEY',
    default: '',
    meaning: '',
    read: optional(integer(1, 9)),
    secret: true,
    effective: () => 'the key',
  },
  file: { variable: 'A_FILE', default: 'file', meaning: '', read: content },
} satisfies Table<Effective>

const readText = (path: string) => `content of ${path}`

test('unset, empty and blank variables have their defaults', () => {
  const values = { size: 5, name: undefined, key: undefined, file: 'content of file' }
  for (const text of [undefined, '', ' \r'])
    assert.deepEqual(parse(TABLE, { A_SIZE: text, A_NAME: text, A_KEY: text }, { readText }), { values })
})

test('blanks around a value do not count', () => {
  const parsed = parse(TABLE, { A_SIZE: ' 7\r', A_NAME: '\ta b ' }, { readText })
  assert.ok('values' in parsed)
  assert.deepEqual([parsed.values.size, parsed.values.name], [7, 'a b'])
})

test('a secret keeps its blanks, and no message quotes it', () => {
  const table = { key: { ...TABLE.key, read: anyText } } satisfies Table<Effective>
  assert.deepEqual(parse(table, { A_KEY: ' x ' }), { values: { key: ' x ' } })
  assert.deepEqual(parse(TABLE, { A_KEY: 'hunter2' }, { readText }), {
    mistakes: ['A_KEY: got (not shown), expected a whole number from 1 to 9. Correct it, or unset it.'],
  })
})

test('all mistakes are reported at once, those of single values first, and what could be read is checked', () => {
  const checked: object[] = []
  const check = (read: object) => {
    checked.push(read)
    return ['A: a contradiction.']
  }
  assert.deepEqual(parse(TABLE, { A_SIZE: '0', A_KEY: '3' }, { readText, check }), {
    mistakes: [
      'A_SIZE: got "0", expected a whole number from 1 to 9. Correct it, or unset it to use 5.',
      'A: a contradiction.',
    ],
  })
  assert.deepEqual(checked, [{ name: undefined, key: 3, file: 'content of file' }])
})

test('the values in effect are described by variable, without secrets and without what has no value', () => {
  assert.deepEqual(valuesInEffect(TABLE, { size: 7 }), { A_SIZE: 7 })
  assert.deepEqual(valuesInEffect(TABLE, { size: 7, name: 'x' }), { A_SIZE: 7, A_NAME: 'x' })
})

test('only properties that have a value are defined', () => {
  assert.deepEqual(Object.keys(defined({ a: 1, b: undefined, c: '', d: false })), ['a', 'c', 'd'])
})
