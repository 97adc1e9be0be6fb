/** The panels that alerts refer to. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { allDashboards, panelId } from '../../../dashboards/generate/dashboards.ts'

test('a panel is found by the uid of its dashboard and its title', () => {
  const id = panelId(['ahasend-proxy', 'Telemetry losses'])
  const dashboard = allDashboards.find(({ uid }) => uid === 'ahasend-proxy')
  assert.equal(dashboard?.panels?.find((panel) => panel.id === id)?.title, 'Telemetry losses')
})

test('a missing panel is an error that says what to correct', () => {
  assert.throws(() => panelId(['ahasend-limits', 'Telemetry losses']), {
    message:
      'dashboard ahasend-limits has no panel "Telemetry losses": correct `panel` of the alert in dashboards/alerts',
  })
})
