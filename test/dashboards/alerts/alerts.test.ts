/** The alerts, as promtool sees them: quiet before, firing after, quiet again. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { alertNames } from '../../../dashboards/alerts/alert.ts'
import { missing, unless } from '../../support/programs.ts'
import { generatedGroups, tryScenarios } from './scenarios/promtool.ts'
import { SCENARIOS } from './scenarios/scenarios.ts'

const groups = generatedGroups()

for (const alert of alertNames) {
  const scenarios = SCENARIOS.filter((scenario) => scenario.alert === alert)
  test(alert, unless(missing('promtool')), async () => {
    assert.notEqual(scenarios.length, 0, 'nobody has tried it')
    const { code, stdout, stderr } = await tryScenarios(scenarios, groups)
    assert.equal(code, 0, stdout + stderr)
  })
}

test('links lead to the Grafana that prometheus.yml names', unless(missing('promtool')), async () => {
  const scenarios = SCENARIOS.filter(({ alert }) => alert === 'SmtpProxyDown')
  const { code, stdout, stderr } = await tryScenarios(scenarios, groups, 'https://grafana.example.com')
  assert.equal(code, 0, stdout + stderr)
})
