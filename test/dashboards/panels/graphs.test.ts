/** Graphs: which series they show, and how. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as units from '@grafana/grafana-foundation-sdk/units'
import { areas, events, heatmap, lines } from '../../../dashboards/panels/graphs.ts'
import type { Panel } from '../../../dashboards/panels/panels.ts'

/** The parts of a panel that these tests read. */
interface Graph {
  readonly targets: readonly { readonly expr: string; readonly range: boolean; readonly interval?: string }[]
  readonly fieldConfig: {
    readonly defaults: { readonly custom: Readonly<Record<string, unknown>>; readonly noValue?: string }
    readonly overrides: readonly { readonly matcher: { readonly options: string }; readonly properties: object }[]
  }
}

const built = (panel: Panel) => panel.build() as unknown as Graph
const info = { title: 'T', description: 'D', unit: units.Short, queries: [{ expr: 'x' }] } as const

test('bars show only series with events, and a text without any', () => {
  const { targets, fieldConfig } = built(events({ ...info, noValue: 'None seen' }))
  assert.deepEqual([targets[0]?.expr, targets[0]?.range], ['x > 0', true])
  assert.deepEqual([fieldConfig.defaults.noValue, fieldConfig.defaults.custom.drawStyle], ['None seen', 'bars'])
})

test('areas are stacked without lines', () => {
  const { custom } = built(areas(info)).fieldConfig.defaults
  assert.deepEqual([custom.lineWidth, custom.stacking], [0, { mode: 'normal', group: 'A' }])
})

test('limits are dashed lines, and a logarithmic graph has no filled areas', () => {
  const { fieldConfig } = built(lines({ ...info, dashed: { limit: 'red' }, logarithmic: 10 }))
  const { custom } = fieldConfig.defaults
  assert.deepEqual([custom.fillOpacity, custom.scaleDistribution], [0, { type: 'log', log: 10 }])
  const [override] = fieldConfig.overrides
  assert.equal(override?.matcher.options, 'limit')
  assert.match(JSON.stringify(override?.properties), /"fixedColor":"red".*"dash"/)
})

test('a heatmap has at least one minute between columns', () => {
  const panel = heatmap({ title: 'T', description: 'D', unit: units.Seconds, expr: 'x' })
  assert.equal(built(panel).targets[0]?.interval, '1m')
})
