/** Runs the scenarios of each alert with promtool: when the alert fires, with which texts, and when it resolves. */
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
    assert.notEqual(scenarios.length, 0, `${alert} has no scenario: add one in test/dashboards/alerts/scenarios`)
    const { code, stdout, stderr } = await tryScenarios(scenarios, groups)
    assert.equal(code, 0, stdout + stderr)
  })
}

test('links in alerts begin with the address of Grafana in prometheus.yml', unless(missing('promtool')), async () => {
  const scenarios = SCENARIOS.filter(({ alert }) => alert === 'SmtpProxyDown')
  const { code, stdout, stderr } = await tryScenarios(scenarios, groups, 'https://grafana.example.com')
  assert.equal(code, 0, stdout + stderr)
})
