import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { duration, durationText } from '../../settings/durations.ts'

const read = duration('100ms', '2h', 'Two hours are enough.')

describe('A duration in milliseconds: ', () => {
  const ACCEPTED: readonly (readonly [text: string, ms: number])[] = [
    ['100ms', 100],
    ['10s', 10_000],
    ['1m30s', 90_000],
    ['1h59m59s999ms', 7_199_999],
    ['2h', 7_200_000],
  ]
  for (const [text, value] of ACCEPTED) test(text, () => assert.deepEqual(read(text), { value }))
})

describe('Not a duration within the bounds: ', () => {
  const REFUSED: readonly (readonly [text: string, fix: string | undefined])[] = [
    ['', undefined],
    ['10', undefined],
    ['1.5m', undefined],
    ['30s1m', undefined],
    ['99ms', 'Choose 100ms or more.'],
    ['-1s', 'Choose 100ms or more.'],
    ['2h1ms', 'Two hours are enough.'],
  ]
  for (const [text, fix] of REFUSED)
    test(JSON.stringify(text), () => {
      const reading = read(text)
      const [fault] = 'faults' in reading ? reading.faults : []
      assert.equal(fault?.expected, 'a duration from 100ms to 2h, written like 250ms, 10s or 1m30s')
      assert.equal(fault?.fix, fix)
    })
})

describe('A duration is written in the largest unit without a fraction: ', () => {
  const WRITTEN: readonly (readonly [ms: number, text: string])[] = [
    [0, '0ms'],
    [1500, '1500ms'],
    [90_000, '90s'],
    [120_000, '2m'],
    [7_200_000, '2h'],
  ]
  for (const [ms, text] of WRITTEN) test(text, () => assert.equal(durationText(ms), text))
})
