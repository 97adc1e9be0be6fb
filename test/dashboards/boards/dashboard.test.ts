/** The layout of a dashboard. dashboards.test.ts checks the four dashboards. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { dashboard } from '../../../dashboards/boards/dashboard.ts'
import { text } from '../../../dashboards/panels/panels.ts'

const panel = (title: string) => text({ title, description: 'D', content: 'C' })

const { panels = [] } = dashboard({
  uid: 'ahasend-proxy',
  title: 'T',
  question: 'Q?',
  rows: [
    {
      heading: 'One?',
      height: 5,
      panels: [
        [12, panel('a')],
        [12, panel('b')],
        [8, panel('c')],
      ],
    },
    { heading: 'Two?', height: 8, panels: [[24, panel('d')]] },
  ],
})

test('a panel that does not fit starts a new line, and each row starts below the previous one', () => {
  assert.deepEqual(
    panels.map(({ title, gridPos }) => [title, gridPos?.x, gridPos?.y, gridPos?.w, gridPos?.h]),
    [
      ['One?', 0, 0, 24, 1],
      ['a', 0, 1, 12, 5],
      ['b', 12, 1, 12, 5],
      ['c', 0, 6, 8, 5],
      ['Two?', 0, 11, 24, 1],
      ['d', 0, 12, 24, 8],
    ],
  )
})

test('ids are consecutive', () => {
  assert.deepEqual(
    panels.map(({ id }) => id),
    [1, 2, 3, 4, 5, 6],
  )
})
