/** The table of OTEL_* variables. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { OTEL_ROWS, OTLP_SETTINGS, ownVariable, SIGNALS, TABLE } from '../../../otel/settings/table.ts'

test('a signal has its own variable of each one that exists for all', () => {
  assert.deepEqual(
    SIGNALS.map((signal) => ownVariable(OTLP_SETTINGS.clientKey, signal)),
    [
      'OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY',
      'OTEL_EXPORTER_OTLP_METRICS_CLIENT_KEY',
      'OTEL_EXPORTER_OTLP_LOGS_CLIENT_KEY',
    ],
  )
  assert.equal(TABLE['logs.timeoutMs'].variable, 'OTEL_EXPORTER_OTLP_LOGS_TIMEOUT')
  assert.equal(Object.keys(TABLE).length, OTEL_ROWS.length + SIGNALS.length * Object.keys(OTLP_SETTINGS).length)
})

test('each variable is in the table once', () => {
  const variables = Object.values(TABLE).map(({ variable }) => variable)
  assert.equal(new Set(variables).size, variables.length)
})

test('each row reads its own default; the variables of one signal have none', () => {
  for (const { variable, default: byDefault, read } of Object.values(TABLE))
    assert.ok('value' in read(byDefault), variable)
  for (const signal of SIGNALS) assert.deepEqual(TABLE[`${signal}.compression`].read(''), { value: undefined })
})
