import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Durations } from '../../status/durations.ts'

function durations(...values: readonly number[]): Durations {
  const all = new Durations()
  for (const value of values) all.add(value)
  return all
}

test('without durations there is no quantile', () => {
  assert.equal(durations().quantile(0.5), undefined)
})

test('durations outside of the range count in the first and the last bucket', () => {
  assert.equal(durations(-5, 0, 0.2).quantile(1), 1)
  assert.ok(durations(1e9).quantile(1)! > 600_000)
})

test('a quantile is at most 13 % from the exact one', () => {
  const milliseconds = fc.array(fc.double({ min: 1, max: 500_000, noNaN: true }), { minLength: 1, maxLength: 200 })
  fc.assert(
    fc.property(milliseconds, fc.double({ min: 0.01, max: 1, noNaN: true }), (values, share) => {
      const exact = values.toSorted((one, other) => one - other)[Math.ceil(share * values.length) - 1]!
      const found = durations(...values).quantile(share)!
      assert.ok(found >= exact / 1.13 && found <= exact * 1.13, `${found} for ${exact}`)
    }),
  )
})

test('merged durations are those of both', () => {
  const merged = durations(10, 10, 10)
  merged.merge(durations(1000, 1000, 1000, 1000))
  assert.ok(merged.quantile(0.4)! < 12)
  assert.ok(merged.quantile(0.5)! > 800)
})
