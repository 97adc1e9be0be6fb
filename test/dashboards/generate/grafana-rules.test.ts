/** The rule file for Grafana: the same alerts as for Prometheus, in queries that need no recording. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { parse } from 'yaml'
import { DASHBOARDS } from '../../support/monitoring/dashboards.ts'
import { missing, unless } from '../../support/programs/programs.ts'
import { assertValidRules, generatedGroups } from '../alerts/scenarios/promtool.ts'

const alerts = generatedGroups().flatMap((group) => group.rules.filter((rule) => rule.alert !== undefined))

interface GrafanaRule {
  readonly uid: string
  readonly title: string
  readonly condition: string
  readonly for: string
  readonly labels: { readonly severity: string; readonly alert: string }
  readonly annotations: Readonly<Record<string, string>>
  readonly dashboardUid: string
  readonly panelId: number
  readonly execErrState: string
  readonly data: readonly {
    readonly refId: string
    readonly datasourceUid: string
    readonly model: { readonly expr?: string; readonly expression?: string }
  }[]
}

const text = readFileSync(join(DASHBOARDS, 'generated', 'grafana-alerts.yaml'), 'utf8')
const [group] = (parse(text) as { readonly groups: readonly { readonly rules: readonly GrafanaRule[] }[] }).groups
const grafanaAlerts = group?.rules ?? []

test('the alerts are those of Prometheus, except the alerts about alerting', () => {
  const keyOf = (one: { alert: string; severity: string; for: string }) => `${one.alert} ${one.severity} ${one.for}`
  assert.deepEqual(
    grafanaAlerts.map((rule) => keyOf({ ...rule.labels, for: rule.for })),
    alerts
      .filter((rule) => !/^SmtpProxy(AlertsNotDelivered|Watchdog)$/.test(`${rule.alert}`))
      .map((rule) => keyOf({ alert: rule.alert ?? '', severity: rule.labels?.severity ?? '', for: rule.for ?? '' })),
  )
})

test('no query needs a recording or an alert of Prometheus', () => {
  for (const { title, data } of grafanaAlerts)
    assert.doesNotMatch(data[0]?.model.expr ?? '', /\w+:\w+:\w+|ALERTS/, title)
})

test('only one alert fires if Prometheus does not answer', () => {
  assert.deepEqual(
    grafanaAlerts.filter(({ execErrState }) => execErrState !== 'KeepLast').map(({ title }) => title),
    ['SmtpProxyAbsent (critical)'],
  )
})

test('uids have at most 40 characters, and uids and titles are unique', () => {
  for (const { uid } of grafanaAlerts) assert.match(uid, /^[a-z-]{1,40}$/)
  assert.equal(new Set(grafanaAlerts.map(({ uid }) => uid)).size, grafanaAlerts.length)
  assert.equal(new Set(grafanaAlerts.map(({ title }) => title)).size, grafanaAlerts.length)
})

test('each step reads the result of the previous one', () => {
  for (const { condition, data } of grafanaAlerts) {
    const steps = data.map(({ refId, datasourceUid, model }) => [refId, datasourceUid, model.expression])
    assert.deepEqual(steps, [
      ['query', 'prometheus', undefined],
      ['returned', '__expr__', 'is_number($query) || is_nan($query) || is_inf($query)'],
      ['threshold', '__expr__', 'returned'],
    ])
    assert.equal(condition, 'threshold')
  }
})

test('texts use the value of the query', () => {
  for (const { annotations } of grafanaAlerts)
    assert.doesNotMatch(annotations.description ?? '', /\$value\b|\$externalLabels/)
})

test('promtool accepts every query', unless(missing('promtool')), async () => {
  const queries = grafanaAlerts.map(({ title, data }) => ({
    record: `a:${title.replaceAll(/\W/g, '_')}`,
    expr: data[0]?.model.expr,
  }))
  await assertValidRules(JSON.stringify({ groups: [{ name: 'queries', rules: queries }] }))
})
