import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { createLossReport } from '../../../otel/export/loss-report.ts'

/** A report with fake time, and its log lines as text. */
function reporting(context: TestContext) {
  context.mock.timers.enable({ apis: ['setTimeout'] })
  const lines: string[] = []
  const report = createLossReport((fields, message) => lines.push([...Object.values(fields), message].join(' ')))
  return { report, lines, tick: (ms: number) => context.mock.timers.tick(ms) }
}

test('the first loss of a kind is logged immediately, those of the following minute in one line at its end', (context) => {
  const { report, lines, tick } = reporting(context)
  const lose = report.of('traces')
  lose('export_failed', 5, 'HTTP 500')
  assert.deepEqual(lines, ['traces export_failed 5 HTTP 500 telemetry lost'])
  lose('export_failed', 2, 'HTTP 500')
  lose('export_failed', 1, 'ECONNREFUSED')
  tick(59_999)
  assert.equal(lines.length, 1)
  tick(1)
  assert.deepEqual(lines.slice(1), ['traces export_failed 3 ECONNREFUSED telemetry lost'])
})

test('after a minute without losses, the next loss is logged immediately', (context) => {
  const { report, lines, tick } = reporting(context)
  report.of('logs')('queue_full', 1)
  tick(60_000)
  assert.equal(lines.length, 1)
  report.of('logs')('queue_full', 4)
  assert.deepEqual(lines, ['logs queue_full 1 telemetry lost', 'logs queue_full 4 telemetry lost'])
})

test('kinds do not delay each other: a kind is a signal and a loss', (context) => {
  const { report, lines } = reporting(context)
  report.of('traces')('queue_full', 1)
  report.of('traces')('export_failed', 2)
  report.of('logs')('queue_full', 3)
  assert.equal(lines.length, 3)
})

test('flush logs what no line has reported yet, once, and leaves no timer', (context) => {
  const { report, lines, tick } = reporting(context)
  for (const items of [1, 2, 3]) report.of('traces')('queue_full', items)
  report.flush()
  report.flush()
  tick(120_000)
  assert.deepEqual(lines, ['traces queue_full 1 telemetry lost', 'traces queue_full 5 telemetry lost'])
})
