import assert from 'node:assert/strict'
import { test } from 'node:test'
import { memo } from '../../../otel/instruments/memo.ts'

test('make is called once per argument, when it is first needed', () => {
  const made: string[] = []
  const of = memo((name: string) => {
    made.push(name)
    return { name }
  })
  assert.deepEqual(made, [])
  assert.equal(of('a'), of('a'))
  assert.notEqual(of('a'), of('b'))
  assert.deepEqual(made, ['a', 'b'])
})
