import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { diag } from '@opentelemetry/api'
import { globalErrorHandler } from '@opentelemetry/core'
import { listenToSdk } from '../../../otel/export/diagnostics.ts'

/** The SDK's diagnostics as they are passed on. The console must stay silent. */
function listening(context: TestContext) {
  context.mock.timers.enable({ apis: ['setTimeout'] })
  const consoles = (['log', 'info', 'warn', 'error', 'debug'] as const).map((name) =>
    context.mock.method(console, name),
  )
  const rejected: unknown[] = []
  const warnings: unknown[] = []
  const stop = listenToSdk({
    rejected: (...items) => rejected.push(items),
    warn: (fields, message) => warnings.push([fields, message]),
  })
  context.after(() => {
    stop()
    for (const { mock } of consoles) assert.equal(mock.callCount(), 0)
  })
  return { rejected, warnings, stop }
}

test('warnings and errors are logged by their sentence, without the values that follow', (context) => {
  const { warnings } = listening(context)
  diag.warn('A sentence of the SDK', { secret: 1 }, 'a second secret sentence')
  diag.error('component', `A long sentence ${'x'.repeat(300)}`)
  diag.error('word', new Error('secret'))
  assert.deepEqual(warnings, [
    [{ detail: 'A sentence of the SDK' }, 'OpenTelemetry SDK warning'],
    [{ detail: `A long sentence ${'x'.repeat(184)}` }, 'OpenTelemetry SDK warning'],
    [{ detail: 'no sentence' }, 'OpenTelemetry SDK warning'],
  ])
})

test('lower levels and errors of exports are not logged', (context) => {
  const { warnings } = listening(context)
  diag.info('an info of the SDK')
  diag.debug('a debug line of the SDK')
  globalErrorHandler(new Error('an export failed'))
  assert.deepEqual(warnings, [])
})

for (const [key, signal] of [
  ['rejectedSpans', 'traces'],
  ['rejectedDataPoints', 'metrics'],
  ['rejectedLogRecords', 'logs'],
] as const) {
  test(`${key} of a partial success are rejected items of ${signal}`, (context) => {
    const { rejected, warnings } = listening(context)
    diag.warn('Received Partial Success response:', JSON.stringify({ [key]: '7', errorMessage: 'secret' }))
    assert.deepEqual([rejected, warnings], [[[signal, 7]], []])
  })
}

test('a partial success that rejects nothing is a warning', (context) => {
  const { rejected, warnings } = listening(context)
  diag.warn('Received Partial Success response:', JSON.stringify({ errorMessage: 'secret' }))
  assert.deepEqual(rejected, [])
  assert.deepEqual(warnings, [[{ detail: 'Received Partial Success response:' }, 'OpenTelemetry SDK warning']])
})

test('ten warnings per second are logged, the rest is counted', (context) => {
  const { warnings } = listening(context)
  for (let warning = 0; warning < 25; warning += 1) diag.warn('the same warning')
  context.mock.timers.tick(1000)
  assert.equal(warnings.length, 11)
  assert.deepEqual(warnings[10], [{ suppressed: 15 }, 'OpenTelemetry SDK warnings suppressed'])
})

test('after the end, nothing is logged', (context) => {
  const { warnings, stop } = listening(context)
  stop()
  diag.warn('a warning of the SDK')
  assert.deepEqual(warnings, [])
})
