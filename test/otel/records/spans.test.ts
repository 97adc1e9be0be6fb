import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createTraceState, ROOT_CONTEXT, type SpanContext, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import { millisToHrTime } from '@opentelemetry/core'
import { JsonTraceSerializer, ProtobufTraceSerializer } from '@opentelemetry/otlp-transformer'
import { resourceFromAttributes } from '@opentelemetry/resources'
import { InMemorySpanExporter, type ReadableSpan, SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace'
import { scope } from '../../../otel/names/names.ts'
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
  const random = spans.record(finished())
  assert.equal(last().parentSpanContext, undefined)
  assert.deepEqual([last().spanContext().traceId, last().spanContext().spanId], [random.traceId, random.spanId])
  const known = spans.record(finished(), undefined, { traceId: TRACE, spanId: SPAN })
  assert.deepEqual([known.traceId, known.spanId], [TRACE, SPAN])
  const halfKnown = spans.record(finished(), undefined, { traceId: TRACE })
  assert.equal(halfKnown.traceId, TRACE)
  assert.notEqual(halfKnown.spanId, SPAN)
  assert.notEqual(spans.record(finished()).traceId, TRACE, 'known ids are used once')
})

test('the ids of a new root are those of the span that is recorded later', () => {
  const { spans } = recorder()
  const root = spans.newRoot()
  const child = spans.record(finished(), root)
  const { traceId, spanId } = spans.record(finished(), undefined, root)
  assert.deepEqual([traceId, spanId, child.traceId], [root.traceId, root.spanId, root.traceId])
})

test('a child is in the trace of its parent', () => {
  const { spans, last } = recorder()
  const parent = spans.record(finished())
  const child = spans.record(finished({ name: 'RCPT' }), parent)
  assert.equal(child.traceId, parent.traceId)
  assert.equal(last().parentSpanContext?.spanId, parent.spanId)
  const remote = { traceId: TRACE, spanId: SPAN, traceFlags: 1, isRemote: true }
  assert.equal(spans.record(finished(), remote).traceId, TRACE)
})

test('a failure is the status and error.type, and a hint is the message', () => {
  const { spans, last } = recorder()
  spans.record(finished({ attributes: { 'smtp.command': 'MAIL' } }))
  assert.deepEqual([last().status.code, last().attributes], [SpanStatusCode.UNSET, { 'smtp.command': 'MAIL' }])
  spans.record(finished({ failure: { type: '521', hint: 'account_disabled' } }))
  assert.deepEqual(last().status, { code: SpanStatusCode.ERROR, message: 'account_disabled' })
  assert.equal(last().attributes['error.type'], '521')
  spans.record(finished({ failure: { type: '451' } }))
  assert.deepEqual(last().status, { code: SpanStatusCode.ERROR })
})

test('times are kept to the microsecond, and a span never ends before it starts', () => {
  const { spans, last } = recorder()
  spans.record(finished())
  assert.deepEqual(
    [last().startTime, last().endTime],
    [
      [1, 0],
      [1, 250_000],
    ],
  )
  spans.record(finished({ end: 900 }))
  assert.deepEqual(last().endTime, [1, 0])
})

test('links name spans of other traces', () => {
  const { spans, last } = recorder()
  const other = spans.newRoot()
  spans.record(finished({ links: [other] }))
  assert.deepEqual(
    last().links.map(({ context }) => context),
    [other],
  )
})

const RESOURCE = resourceFromAttributes({ 'service.name': 'test' })

/** The span as the SDK's tracer records it. */
function ofSdk({ failure, ...span }: FinishedSpan, parent: SpanContext | undefined, ids: SpanContext): ReadableSpan {
  const exporter = new InMemorySpanExporter()
  const tracer = new TracerProvider({
    resource: RESOURCE,
    spanProcessors: [new SimpleSpanProcessor({ exporter })],
    idGenerator: { generateTraceId: () => ids.traceId, generateSpanId: () => ids.spanId },
  }).getTracer(scope.name, scope.version)
  const started = tracer.startSpan(
    span.name,
    {
      kind: span.kind,
      startTime: millisToHrTime(span.at),
      attributes: failure ? { ...span.attributes, 'error.type': failure.type } : span.attributes,
      links: (span.links ?? []).map((context) => ({ context })),
    },
    parent ? trace.setSpanContext(ROOT_CONTEXT, parent) : ROOT_CONTEXT,
  )
  if (failure) started.setStatus({ code: SpanStatusCode.ERROR, ...(failure.hint && { message: failure.hint }) })
  started.end(millisToHrTime(span.end))
  return exporter.getFinishedSpans()[0]!
}

const REMOTE = { traceId: TRACE, spanId: SPAN, traceFlags: 1, isRemote: true }
const ATTRIBUTES = {
  'smtp.command': 'MAIL',
  'smtp.reply.code': 250,
  'tls.resumed': false,
  'smtp.message.ids': ['a', 'b'],
}

for (const [what, span, parent] of [
  ['a root span', finished(), undefined],
  ['a child', finished({ kind: SpanKind.INTERNAL }), { traceId: TRACE, spanId: SPAN, traceFlags: 1 }],
  ['a child in the trace of an app', finished({ kind: SpanKind.SERVER }), REMOTE],
  ['a child with a tracestate', finished(), { ...REMOTE, traceState: createTraceState('vendor=1,other=2') }],
  ['attributes of all types', finished({ attributes: ATTRIBUTES }), undefined],
  ['links', finished({ links: [REMOTE, { traceId: TRACE, spanId: SPAN, traceFlags: 0 }] }), undefined],
  ['a failure', finished({ attributes: ATTRIBUTES, failure: { type: '521' } }), undefined],
  ['a failure with a hint', finished({ failure: { type: '521', hint: 'account_disabled' } }), REMOTE],
  ['a long span', finished({ at: 1_796_000_000_000.123, end: 1_796_000_903_000.456 }), undefined],
] as const) {
  test(`is exported and reads as a span of the SDK: ${what}`, () => {
    const exporter = new InMemorySpanExporter()
    const ids = new Spans(RESOURCE, [new SimpleSpanProcessor({ exporter })]).record(span, parent)
    const [ours] = exporter.getFinishedSpans()
    const sdk = ofSdk(span, parent, ids)
    assert.ok(ours)
    for (const { serializeRequest } of [JsonTraceSerializer, ProtobufTraceSerializer])
      assert.deepEqual(Buffer.from(serializeRequest([ours]) ?? []), Buffer.from(serializeRequest([sdk]) ?? []))
    assert.deepEqual([ours.duration, ours.ended], [sdk.duration, sdk.ended])
  })
}

test('shutdown shuts all processors down, and rejects if one fails', async () => {
  let shutDown = 0
  const processor = (end: () => Promise<void>) => ({
    onStart() {},
    onEnd() {},
    forceFlush: async () => {},
    shutdown() {
      shutDown += 1
      return end()
    },
  })
  await new Spans(RESOURCE, [processor(async () => {}), processor(async () => {})]).shutdown()
  assert.equal(shutDown, 2)
  await assert.rejects(new Spans(RESOURCE, [processor(() => Promise.reject(new Error('down')))]).shutdown(), /down/)
})
