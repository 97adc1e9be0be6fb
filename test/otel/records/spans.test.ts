import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import { resourceFromAttributes } from '@opentelemetry/resources'
import { InMemorySpanExporter, type ReadableSpan, SimpleSpanProcessor } from '@opentelemetry/sdk-trace'
import { type FinishedSpan, Spans } from '../../../otel/records/spans.ts'

const TRACE = '0af7651916cd43dd8448eb211c80319c'
const SPAN = 'b7ad6b7169203331'

function recorder(): { readonly spans: Spans; readonly last: () => ReadableSpan } {
  const exporter = new InMemorySpanExporter()
  const spans = new Spans(resourceFromAttributes({}), [new SimpleSpanProcessor({ exporter })])
  return { spans, last: () => exporter.getFinishedSpans().at(-1)! }
}

function finished(facts: Partial<FinishedSpan> = {}): FinishedSpan {
  return { name: 'MAIL', kind: SpanKind.CLIENT, at: 1000, end: 1000.25, attributes: {}, ...facts }
}

test('a root span has random ids, or those that are known', () => {
  const { spans, last } = recorder()
  const random = spans.record(finished(), ROOT_CONTEXT)
  assert.equal(last().parentSpanContext, undefined)
  assert.deepEqual([last().spanContext().traceId, last().spanContext().spanId], [random.traceId, random.spanId])
  const known = spans.record(finished(), ROOT_CONTEXT, { traceId: TRACE, spanId: SPAN })
  assert.deepEqual([known.traceId, known.spanId], [TRACE, SPAN])
  const halfKnown = spans.record(finished(), ROOT_CONTEXT, { traceId: TRACE })
  assert.equal(halfKnown.traceId, TRACE)
  assert.notEqual(halfKnown.spanId, SPAN)
  assert.notEqual(spans.record(finished(), ROOT_CONTEXT).traceId, TRACE, 'known ids are used once')
})

test('the ids of a new root are those of the span that is recorded later', () => {
  const { spans } = recorder()
  const root = spans.newRoot()
  const child = spans.recordChild(finished(), root)
  const { traceId, spanId } = spans.record(finished(), ROOT_CONTEXT, root)
  assert.deepEqual([traceId, spanId, child.traceId], [root.traceId, root.spanId, root.traceId])
})

test('a child is in the trace of its parent', () => {
  const { spans, last } = recorder()
  const parent = spans.record(finished(), ROOT_CONTEXT)
  const child = spans.recordChild(finished({ name: 'RCPT' }), parent)
  assert.equal(child.traceId, parent.traceId)
  assert.equal(last().parentSpanContext?.spanId, parent.spanId)
  const remote = { traceId: TRACE, spanId: SPAN, traceFlags: 1, isRemote: true }
  assert.equal(spans.record(finished(), trace.setSpanContext(ROOT_CONTEXT, remote)).traceId, TRACE)
})

test('a failure is the status and error.type, and a hint is the message', () => {
  const { spans, last } = recorder()
  spans.record(finished({ attributes: { 'smtp.command': 'MAIL' } }), ROOT_CONTEXT)
  assert.deepEqual([last().status.code, last().attributes], [SpanStatusCode.UNSET, { 'smtp.command': 'MAIL' }])
  spans.record(finished({ failure: { type: '521', hint: 'account_disabled' } }), ROOT_CONTEXT)
  assert.deepEqual(last().status, { code: SpanStatusCode.ERROR, message: 'account_disabled' })
  assert.equal(last().attributes['error.type'], '521')
  spans.record(finished({ failure: { type: '451' } }), ROOT_CONTEXT)
  assert.deepEqual(last().status, { code: SpanStatusCode.ERROR })
})

test('times are kept to the microsecond, and a span never ends before it starts', () => {
  const { spans, last } = recorder()
  spans.record(finished(), ROOT_CONTEXT)
  assert.deepEqual(
    [last().startTime, last().endTime],
    [
      [1, 0],
      [1, 250_000],
    ],
  )
  spans.record(finished({ end: 900 }), ROOT_CONTEXT)
  assert.deepEqual(last().endTime, [1, 0])
})

test('links name spans of other traces', () => {
  const { spans, last } = recorder()
  const other = spans.newRoot()
  spans.record(finished({ links: [other] }), ROOT_CONTEXT)
  assert.deepEqual(
    last().links.map(({ context }) => context),
    [other],
  )
})
