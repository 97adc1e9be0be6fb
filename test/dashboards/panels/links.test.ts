/** Links to runbooks and dashboards. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { dashboardLink, runbookLink, variable } from '../../../dashboards/panels/links.ts'

/* biome-ignore-start lint/suspicious/noTemplateCurlyInString: variables of Grafana */
test('a variable can have a format', () => {
  assert.deepEqual([variable('job'), variable('client', 'pipe')], ['${job}', '${client:pipe}'])
})

const SELECTION =
  '${__url_time_range}&${prometheus_datasource:queryparam}&${tempo_datasource:queryparam}&${job:queryparam}&' +
  '${instance:queryparam}&${server:queryparam}'

test('a link to a dashboard keeps the time range and the selection, in the same tab', () => {
  const { url, targetBlank } = dashboardLink('Refusals', 'ahasend-refusals').build()
  assert.deepEqual([url, targetBlank], [`/d/ahasend-refusals?${SELECTION}&\${client:queryparam}`, false])
})

test('a link to a dashboard can select one app', () => {
  const { url } = dashboardLink('Refusals', 'ahasend-refusals', '${__value.raw}').build()
  assert.equal(url, `/d/ahasend-refusals?${SELECTION}&var-client=\${__value.raw}`)
})
/* biome-ignore-end lint/suspicious/noTemplateCurlyInString: variables of Grafana */

test('a link to a runbook has the name of the alert and opens in a new tab', () => {
  const { title, url, targetBlank } = runbookLink('SmtpProxyDown').build()
  assert.deepEqual([title, targetBlank], ['Runbook: SmtpProxyDown', true])
  assert.match(`${url}`, /^https:.*\/SmtpProxyDown\.md$/)
})
