/** Panels with large numbers. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as units from '@grafana/grafana-foundation-sdk/units'
import type { Panel } from '../../../dashboards/panels/panels.ts'
import { countStat, stat } from '../../../dashboards/panels/stats.ts'
import { thresholds, zeroIsGood } from '../../../dashboards/panels/values.ts'

/** The parts of a panel that these tests read. */
interface Built {
  readonly options: { readonly colorMode: string; readonly textMode: string; readonly text: object }
  readonly fieldConfig: {
    readonly defaults: { readonly unit: string; readonly decimals?: number; readonly mappings: readonly unknown[] }
    readonly overrides: readonly { readonly matcher: { readonly options: string } }[]
  }
}

const built = (panel: Panel) => panel.build() as unknown as Built
const spec = { title: 'T', description: 'D', queries: [{ expr: 'x' }], thresholds: zeroIsGood() }

/** Whether the panel is filled, and the colours of its background and of its text without a value. */
const FILLED: readonly (readonly [filled: boolean, colorMode: string, color: string])[] = [
  [true, 'background', 'dark-red'],
  [false, 'value', 'text'],
]

for (const [filled, colorMode, color] of FILLED) {
  test(`a ${filled ? 'filled' : 'plain'} panel without a value is ${color}`, () => {
    const { options, fieldConfig } = built(stat({ ...spec, unit: units.Short, filled, noValue: 'No proxy seen' }))
    assert.equal(options.colorMode, colorMode)
    assert.deepEqual(fieldConfig.defaults.mappings, [
      { type: 'special', options: { match: 'null+nan', result: { text: 'No proxy seen', color, index: 99 } } },
    ])
  })
}

test('several queries have names, and can have their own thresholds and units', () => {
  const queries = ['a', 'b'].map((legend) => ({ expr: 'x', legend }))
  const others = { colors: { a: thresholds('text') }, units: { b: units.Seconds } } as const
  const { options, fieldConfig } = built(stat({ ...spec, ...others, unit: units.Short, queries }))
  assert.equal(options.textMode, 'value_and_name')
  assert.deepEqual(
    fieldConfig.overrides.map(({ matcher }) => matcher.options),
    ['a', 'b'],
  )
})

test('a count has no decimals', () => {
  const { unit, decimals } = built(countStat(spec)).fieldConfig.defaults
  assert.deepEqual([unit, decimals], ['locale', 0])
})

test('numbers have fixed sizes, at which 1,234,567 fits the narrowest panels', () => {
  const sizes = (count: number) =>
    built(stat({ ...spec, unit: units.Short, queries: Array(count).fill({ expr: 'x' }) }))
  assert.deepEqual(sizes(1).options.text, { valueSize: 32 })
  assert.deepEqual(sizes(8).options.text, { titleSize: 13, valueSize: 20 })
})
