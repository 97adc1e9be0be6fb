/** The probe is not an app: no query of a dashboard, an alert or a recording counts its series. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { metric } from '../../dashboards/names.ts'
import { queriesOf, readDashboards, selectorsIn, TABLE } from '../support/monitoring/dashboards.ts'
import { generatedGroups } from './alerts/scenarios/promtool.ts'

const EXCLUDED = 'smtp_client_name!="probe"'
/** Exported by every proxy from its start, so it identifies proxies. Its value does not count there. */
const IDENTITY = `${metric('sessionActive')}{job=~"$job", instance=~"$instance"}`

/** Gives `{}` to names of metrics without conditions. */
function withBraces(expr: string): string {
  return expr.replaceAll(/\bsmtp_proxy_\w+(?![\w{:])/g, '$&{}')
}

/** The selectors that contain the series of the probe. */
function withProbe(expr: string): readonly string[] {
  return selectorsIn(withBraces(expr.replaceAll(IDENTITY, 'up')))
    .filter(({ metric: name }) => TABLE.get(name)?.attributes.some((key) => key === 'smtp.client.name'))
    .filter(({ conditions }) => !conditions.includes(EXCLUDED))
    .map(({ name, conditions }) => `${name}{${conditions}}`)
}

for (const dashboard of readDashboards()) {
  test(dashboard.title, () => {
    const queries = queriesOf(dashboard)
    assert.ok(queries.length > 10)
    for (const { where, expr } of queries) assert.deepEqual(withProbe(expr), [], where)
    const client = dashboard.templating.list.find(({ name }) => name === 'client')
    assert.ok(client?.query.includes(EXCLUDED), 'the probe cannot be selected as an app')
  })
}

test('alerts and recordings', () => {
  const rules = generatedGroups().flatMap((group) => group.rules)
  assert.ok(rules.filter(({ expr }) => expr.includes(EXCLUDED)).length > 50)
  for (const { alert, record, expr } of rules) assert.deepEqual(withProbe(expr), [], alert ?? record)
})

test('a query that counts the probe is found', () => {
  assert.deepEqual(withProbe('sum(smtp_proxy_replies_total{smtp_reply_code="421"})'), [
    'smtp_proxy_replies_total{smtp_reply_code="421"}',
  ])
  assert.deepEqual(withProbe('sum(increase(smtp_proxy_recipients_total[1h]))'), ['smtp_proxy_recipients_total{}'])
  assert.deepEqual(withProbe('sum(smtp_proxy_upstream_dials_total{error_type=""})'), [])
})
