import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { checkNames, describeSettings, readSettings, type Settings, warningsOf } from '../../app/settings.ts'

function settingsOf(env: Readonly<Record<string, string>>): Settings {
  const settings = readSettings(env)
  assert.ok('config' in settings)
  return settings
}

describe('readSettings', () => {
  test('reads the settings of the proxy and of OpenTelemetry', () => {
    const { config, otel } = settingsOf({ PROXY_SLOW: '3s', OTEL_SERVICE_NAME: 'relay' })
    assert.deepEqual([config.slowMs, otel.resource['service.name']], [3000, 'relay'])
  })

  test('returns the mistakes of both', () => {
    const settings = readSettings({ PROXY_SLOW: 'soon', OTEL_TRACES_SAMPLER: 'sometimes' })
    assert.ok('mistakes' in settings)
    assert.deepEqual(
      settings.mistakes.map((mistake) => mistake.split(':', 1)[0]),
      ['PROXY_SLOW', 'OTEL_TRACES_SAMPLER'],
    )
  })

  test('returns the mistakes of one if the other is valid', () => {
    const settings = readSettings({ OTEL_TRACES_SAMPLER: 'sometimes' })
    assert.ok('mistakes' in settings)
    assert.equal(settings.mistakes.length, 1)
  })
})

test('warningsOf names variables of other programs, and settings that are probably not intended', () => {
  const env = { PROXY_URL: 'http://10.0.0.1', PROXY_IDLE_TIMEOUT: '30s', OTEL_SERVICE_NAM: 'x' }
  const warnings = warningsOf(settingsOf(env), env)
  for (const variable of Object.keys(env))
    assert.ok(
      warnings.some((warning) => warning.includes(variable)),
      variable,
    )
  assert.deepEqual(warningsOf(settingsOf({}), {}), [])
})

test('checkNames ignores values', () => {
  const { mistakes, warnings } = checkNames({ PROXY_LISTN: 'x', PROXY_URL: 'x', PROXY_SLOW: 'soon' })
  assert.deepEqual([mistakes.length, warnings.length], [1, 1])
  assert.match(mistakes[0]!, /^PROXY_LISTN: /)
  assert.match(warnings[0]!, /^PROXY_URL: /)
})

test('checkNames refuses another PROXY_ADMIN than that of compose.yaml, which fixes it, or of the image', () => {
  const { mistakes } = checkNames({ PROXY_ADMIN: 'http://0.0.0.0:8080' })
  assert.equal(mistakes.length, 1)
  assert.match(mistakes[0]!, /^PROXY_ADMIN: remove it .* compose\.yaml always sets http:\/\/proxy-admin:9464, so .*\.$/)
  for (const admin of ['', 'http://0.0.0.0:9464', 'http://proxy-admin:9464'])
    assert.deepEqual(checkNames({ PROXY_ADMIN: admin }).mistakes, [])
})

test('describeSettings shows the settings in effect, and the variables that are ignored', () => {
  const env = { PROXY_SLOW: '3s', OTEL_SDK_DISABLED: 'true' }
  const shown = describeSettings(settingsOf(env), env) as { config: Record<string, unknown>; node: string }
  assert.equal(shown.node, process.version)
  assert.deepEqual([shown.config.PROXY_SLOW, shown.config.OTEL_SDK_DISABLED], ['3s', true])
  assert.ok(!('ignored' in shown))
})
