/** Percentiles, medians and spreads. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { median, percentile, rotated, spread } from '../../../../bench/compare/figures/statistics.ts'

const upTo = (count: number) => Array.from({ length: count }, (_, index) => count - index)

describe('percentile', () => {
  test('is the value that the share of all values does not exceed', () => {
    assert.equal(percentile(upTo(100), 0.5), 50)
    assert.equal(percentile(upTo(100), 0.99), 99)
    assert.equal(percentile(upTo(1000), 0.999), 999)
    assert.equal(percentile([7, 3], 0.5), 3)
  })

  test('is unknown with too few values to tell it from the highest one', () => {
    assert.equal(percentile(upTo(999), 0.999), undefined)
    assert.equal(percentile(upTo(99), 0.99), undefined)
    assert.equal(percentile([], 0.5), undefined)
  })

  test('leaves the values in their order', () => {
    const values = [3, 1, 2]
    percentile(values, 0.5)
    assert.deepEqual(values, [3, 1, 2])
  })
})

describe('median', () => {
  test('is the middle value, or the mean of the two middle values', () => {
    assert.equal(median([9, 1, 5]), 5)
    assert.equal(median([9, 1, 5, 6]), 5.5)
    assert.equal(median([4]), 4)
  })

  test('is not a number without a value', () => {
    assert.ok(Number.isNaN(median([])))
  })
})

describe('spread', () => {
  test('has the median, the lowest and the highest of the known values', () => {
    assert.deepEqual(spread([3, undefined, 1, 2]), { median: 2, lowest: 1, highest: 3, rounds: 3 })
  })

  test('is undefined if no value is known', () => {
    assert.equal(spread([undefined]), undefined)
  })
})

test('rotated keeps the cyclic order and begins with another item', () => {
  assert.deepEqual(rotated(['a', 'b', 'c'], 1), ['b', 'c', 'a'])
  assert.deepEqual(rotated(['a', 'b', 'c'], 5), ['c', 'a', 'b'])
})
