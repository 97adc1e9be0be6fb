/**
 * From a button to the alert on the page, and back to normal: apps, the proxy as a process, a real Prometheus with the
 * generated rules, a real Alertmanager and a real browser. A minute of the rules takes a second.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { prometheusRules } from '../../dashboards/generate/alert-files.ts'
import { startSimulator } from '../simulator/simulator.ts'
import { App, JOB, stageMissing } from '../support/monitoring/alert-stage.ts'
import { configFor, startAlertmanager } from '../support/monitoring/alertmanager.ts'
import { startPrometheus } from '../support/monitoring/prometheus.ts'
import { startBefore } from '../support/processes/running-proxy.ts'
import { unless } from '../support/programs/programs.ts'
import { browserMissing, openBrowser, openPage } from '../support/status/browser.ts'

const SCALE = 1 / 60
const EVERY_MS = 500
/** The alert fires until the last 521 is half an hour old, which takes 30 s here. */
const LIMIT_MS = 90_000

const options = { ...unless(browserMissing(), stageMissing()), timeout: 240_000 }

test('a button on the page raises an alert on the page, which resolves after the incident', options, async () => {
  await using stack = new AsyncDisposableStack()
  const alertmanager = stack.use(await startAlertmanager(JSON.stringify(configFor({}))))
  const links = { alertmanagerUrl: `http://${alertmanager.address}` }
  const simulator = stack.use(await startSimulator({ ledger: 'summary', links }))
  const proxy = stack.use(
    await startBefore(simulator, { PROXY_CLIENTS: 'billing=127.0.0.1', PROXY_WARM_CONNECTIONS: '0' }),
  )
  const prometheus = stack.use(
    await startPrometheus({
      targets: [{ job: JOB, url: `http://127.0.0.1:${proxy.adminPort}/metrics` }],
      scrapeIntervalMs: EVERY_MS,
      rules: prometheusRules({ timeScale: SCALE }),
      alertmanager: alertmanager.address,
    }),
  )
  const browser = await openBrowser()
  stack.defer(() => browser.close())
  stack.use(new App(proxy, 200))
  await prometheus.waitFor('sum(smtp_proxy_transactions_total{smtp_transaction_outcome="accepted"}) > 10')

  const { page, complaints } = await openPage(browser, `http://127.0.0.1:${simulator.httpPort}/`)
  await page.getByText('No alert fires.').first().waitFor({ timeout: LIMIT_MS })
  await page.getByRole('button', { name: '521 account disabled' }).click()
  const alert = page.locator('[data-alert="AhaSendAccountDisabled critical"]')
  await alert.and(page.locator('[data-standing=waiting]')).waitFor({ timeout: LIMIT_MS })
  await alert.and(page.locator('[data-standing=firing]')).waitFor({ timeout: LIMIT_MS })
  assert.match(await alert.innerText(), /Firing since \d\d:\d\d:\d\d UTC, \d+ s after the start\. Apps: billing\./)
  await page.getByRole('button', { name: 'Back to normal' }).click()
  await alert.and(page.locator('[data-standing=resolved]')).waitFor({ timeout: LIMIT_MS })
  const timeline = await page.locator('.timeline li span').allInnerTexts()
  const patterns = [
    /^AhaSendAccountDisabled \(critical\) resolved\.$/,
    /^Back to normal, after \d+ s\.$/,
    /^AhaSendAccountDisabled \(critical\) fires, \d+ s after the start\.$/,
    /^First refusal: 521 to MAIL FROM\.$/,
    /^“521 account disabled” started\.$/,
  ]
  // on a slow machine, a scrape can exceed its timeout and fail
  const lines = timeline.filter((line) => !line.startsWith('SmtpProxyDown'))
  assert.equal(lines.length, patterns.length, timeline.join('\n'))
  // the alert can fire within the second in which the page notes the first refusal
  for (const pattern of patterns) assert.equal(lines.filter((line) => pattern.test(line)).length, 1, `${pattern}`)
  assert.deepEqual(complaints, [])
})
