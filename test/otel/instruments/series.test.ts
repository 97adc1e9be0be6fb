import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SeriesMap } from '../../../otel/instruments/series.ts'

test('each set of attributes has its series, always the same object, in the order of creation', () => {
  const map = new SeriesMap(10, (attributes) => ({ attributes }))
  assert.equal(map.at({ name: 'b' }), map.at({ name: 'b' }))
  map.at({ name: 'a' })
  map.at({})
  assert.deepEqual(
    [...map.values()],
    [{ attributes: { name: 'b' } }, { attributes: { name: 'a' } }, { attributes: {} }],
  )
})

test('values of different types are different series', () => {
  const map = new SeriesMap(10, (attributes) => ({ attributes }))
  assert.notEqual(map.at({ code: 250 }), map.at({ code: '250' }))
})

test('above the limit, new series share the overflow series; earlier ones do not', () => {
  const map = new SeriesMap(1, (attributes) => ({ attributes }))
  const first = map.at({ name: 'a' })
  const overflow = map.at({ name: 'b' })
  assert.deepEqual(overflow.attributes, { 'otel.metric.overflow': true })
  assert.equal(map.at({ name: 'c' }), overflow)
  assert.equal(map.at({ name: 'a' }), first)
})
