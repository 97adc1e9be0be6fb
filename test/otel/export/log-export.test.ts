import assert from 'node:assert/strict'
import { test } from 'node:test'
import { resourceFromAttributes } from '@opentelemetry/resources'
import { InMemoryLogRecordExporter, SimpleLogRecordProcessor } from '@opentelemetry/sdk-logs'
import { createLogExport } from '../../../otel/export/log-export.ts'
import { scope } from '../../../otel/names/names.ts'

function exporting() {
  const exporter = new InMemoryLogRecordExporter()
  const logs = createLogExport(resourceFromAttributes({}), new SimpleLogRecordProcessor({ exporter }))
  return { logs, last: () => exporter.getFinishedLogRecords().at(-1)! }
}

for (const [level, severity] of [
  ['trace', 1],
  ['debug', 5],
  ['info', 9],
  ['warn', 13],
  ['error', 17],
  ['fatal', 21],
] as const) {
  test(`the level ${level} has the severity number ${severity}`, () => {
    const { logs, last } = exporting()
    logs.emit({ level, message: 'session', attributes: {} })
    assert.deepEqual([last().severityNumber, last().severityText, last().body], [severity, level, 'session'])
  })
}

test('a record has the attributes and the span of its line, and the scope of the table', () => {
  const { logs, last } = exporting()
  const span = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331', traceFlags: 1 }
  logs.emit({ level: 'info', message: 'transaction', attributes: { 'smtp.reply.code': 250 }, trace: span })
  assert.deepEqual(last().attributes, { 'smtp.reply.code': 250 })
  assert.deepEqual(last().spanContext, span)
  const { name, version } = last().instrumentationScope
  assert.deepEqual({ name, version }, scope)
  logs.emit({ level: 'info', message: 'start', attributes: {} })
  assert.equal(last().spanContext, undefined)
})
