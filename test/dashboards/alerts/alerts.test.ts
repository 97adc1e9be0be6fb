/** Runs the scenarios of each alert with promtool: when the alert fires, with which texts, and when it resolves. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { alertNames } from '../../../dashboards/alerts/alert.ts'
import { labelOf } from '../../../otel/names/names.ts'
import { selectorsIn, TABLE } from '../../support/monitoring/dashboards.ts'
import { missing, unless } from '../../support/programs/programs.ts'
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

/** Labels of scrape targets and of a Collector. */
const OTHER_LABELS = ['job', 'instance', 'le', 'env', 'exported_instance', 'otel_scope_name', 'otel_metric_overflow']
/** Metrics of other programs. */
const OTHER_METRICS = ['up', 'alertmanager_notifications_failed_total', 'other_metric_total']

test('scenarios use only metrics and labels that the proxy exports', () => {
  for (const { alert, name, series } of SCENARIOS)
    for (const selector of Object.keys(series)) {
      const [{ metric = '', labels = [] } = {}] = selectorsIn(selector.includes('{') ? selector : `${selector}{}`)
      if (OTHER_METRICS.includes(metric)) continue
      const attributes = TABLE.get(metric)?.attributes
      assert.ok(attributes, `${alert}, "${name}": there is no metric ${metric}`)
      const known = [...OTHER_LABELS, ...attributes.map((key) => labelOf(key))]
      for (const label of labels)
        assert.ok(known.includes(label), `${alert}, "${name}": ${metric} has no label ${label}`)
    }
})

test('links in alerts begin with the address of Grafana in prometheus.yml', unless(missing('promtool')), async () => {
  const scenarios = SCENARIOS.filter(({ alert }) => alert === 'SmtpProxyDown')
  const { code, stdout, stderr } = await tryScenarios(scenarios, groups, 'https://grafana.example.com')
  assert.equal(code, 0, stdout + stderr)
})
