/** The names in the settings file of Compose, and the receivers of alerts. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { alertsStep } from '../../../../app/check/steps/alerts.ts'
import { readSettingsFile, settingsFileStep } from '../../../../app/check/steps/configuration.ts'
import type { Outcome } from '../../../../app/check/steps/step.ts'
import type { Environment } from '../../../../settings/environment.ts'

const signal = new AbortController().signal

function namesIn(text: string, env: Environment = {}): Outcome {
  return settingsFileStep(readSettingsFile(env, () => text)).run(signal) as Outcome
}

test('misspelled names of each group fail, without their values', () => {
  const outcome = namesIn('PROXY_LISTN=hunter2\nALERT_WEBHOK_URL=hunter2\nGRAFANA_PUBLSH=hunter2\n')
  assert.equal(outcome.status, 'failed')
  assert.equal(outcome.misconfigured, true)
  assert.deepEqual(outcome.details, [
    'PROXY_LISTN: there is no such setting. Did you mean PROXY_LISTEN?',
    'ALERT_WEBHOK_URL: there is no such setting. Did you mean ALERT_WEBHOOK_URL?',
    'GRAFANA_PUBLSH: there is no such setting. Did you mean GRAFANA_PUBLISH?',
  ])
  assert.match(outcome.see ?? '', /docs\/configuration\.md$/)
  assert.doesNotMatch(JSON.stringify(outcome), /hunter2/)
})

test('unknown names of other programs are warnings', () => {
  const outcome = namesIn(
    '# a comment\nPROXY_URL=x\nOTEL_UNKNOWN=x\nALERT_OTHER=x\nPROXY_LISTEN="smtp://0.0.0.0:2525"\n',
  )
  assert.equal(outcome.status, 'ok')
  assert.equal(outcome.details?.length, 3)
  for (const line of outcome.details ?? []) assert.match(line, /^warning: (PROXY_URL|OTEL_UNKNOWN|ALERT_OTHER)/)
})

test('the file is .env or SETTINGS_FILE; a missing one is a note', () => {
  const missing = (path: string): never => {
    throw Object.assign(new Error(path), { code: 'ENOENT' })
  }
  const file = readSettingsFile({}, missing)
  assert.deepEqual([file.path, (settingsFileStep(file).run(signal) as Outcome).status], ['.env', 'note'])
  assert.equal(readSettingsFile({ SETTINGS_FILE: 'other.env' }, missing).path, 'other.env')
})

test('the receivers of alerts: valid ones by name, wrong ones as mistakes, none as a note', () => {
  const receivers = (env: Environment, file?: Environment) => alertsStep(env, file).run(signal) as Outcome
  const webhook = { ALERT_WEBHOOK_URL: 'https://example.com/hook' }
  assert.match(receivers({}, webhook).text, /^webhook \(settings only/)
  assert.match(receivers(webhook).text, /^webhook/)
  assert.equal(receivers({}).status, 'note')
  const wrong = receivers({ ALERT_EMAIL_TO: 'ops@example.com', ALERT_REPET: '4h' })
  assert.equal(wrong.misconfigured, true)
  assert.match(wrong.details?.join('\n') ?? '', /ALERT_REPEAT\?[\s\S]*ALERT_EMAIL_FROM/)
})
