/** Colours and texts by value. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { notMeasured, rangeTexts, thresholds, zeroIsGood } from '../../../dashboards/panels/values.ts'

test('thresholds begin with the colour of all lower values', () => {
  assert.deepEqual(thresholds('red', [0.9, 'orange'], [0.98, 'green']).build().steps, [
    { value: null, color: 'red' },
    { value: 0.9, color: 'orange' },
    { value: 0.98, color: 'green' },
  ])
})

test('half an event is not zero: Prometheus extrapolates counts', () => {
  assert.deepEqual(zeroIsGood().build().steps.at(-1), { value: 0.5, color: 'red' })
})

test('ranges without an end have a large number there, because Grafana before version 12 reads null as 0', () => {
  const options = rangeTexts({ to: 0.5, text: 'Yes', color: 'green' }, { from: 0.5, text: 'No', color: 'red' }).map(
    (mapping) => mapping.options,
  )
  assert.deepEqual(options, [
    { from: -1e15, to: 0.5, result: { text: 'Yes', color: 'green', index: 0 } },
    { from: 0.5, to: 1e15, result: { text: 'No', color: 'red', index: 1 } },
  ])
})

test('the text for "not measured" covers -1 but not 0', () => {
  const { from = -Infinity, to = Infinity } = notMeasured('No mail')
  assert.ok(from < -1 && to > -1 && to < 0)
})
