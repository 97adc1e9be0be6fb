/** Tables: the order and titles of columns. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as units from '@grafana/grafana-foundation-sdk/units'
import { cell, table } from '../../../dashboards/panels/tables.ts'

const { transformations, fieldConfig, targets, options } = table({
  title: 'T',
  description: 'D',
  unit: units.Short,
  queries: ['x', 'y'],
  columns: [
    { field: 'smtp_client_name', title: 'App', properties: cell.text },
    { field: 'Value #A', title: 'Messages', properties: cell.number },
  ],
  sortBy: ['Messages', true],
  noValue: 'None',
}).build() as unknown as {
  readonly transformations: readonly { readonly id: string; readonly options: object }[]
  readonly targets: readonly { readonly instant: boolean; readonly format: string }[]
  readonly fieldConfig: { readonly overrides: readonly { readonly matcher: { readonly options: string } }[] }
  readonly options: { readonly sortBy: readonly unknown[] }
}

test('series with the same labels share a row, and columns have titles in this order', () => {
  assert.deepEqual(transformations, [
    { id: 'merge', options: {} },
    {
      id: 'organize',
      options: {
        indexByName: { smtp_client_name: 0, 'Value #A': 1 },
        renameByName: { smtp_client_name: 'App', 'Value #A': 'Messages' },
        excludeByName: { Time: true },
      },
    },
  ])
})

test('properties belong to titles, because Grafana applies them after the columns are renamed', () => {
  assert.deepEqual(
    fieldConfig.overrides.map(({ matcher }) => matcher.options),
    ['App', 'Messages'],
  )
})

test('queries are for the end of the time range, and the order is given', () => {
  assert.deepEqual(
    targets.map(({ instant, format }) => [instant, format]),
    [
      [true, 'table'],
      [true, 'table'],
    ],
  )
  assert.deepEqual(options.sortBy, [{ displayName: 'Messages', desc: true }])
})
