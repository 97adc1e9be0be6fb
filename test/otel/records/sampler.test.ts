import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ROOT_CONTEXT, SpanKind, TraceFlags, trace } from '@opentelemetry/api'
import { SamplingDecision } from '@opentelemetry/sdk-trace'
import { samplerOf } from '../../../otel/records/sampler.ts'

/** Ratio samplers keep the low trace ids. The SDK compares the exclusive or of four groups of eight digits. */
const LOW = `${'0'.repeat(31)}1`
const HIGH = `ffffffff${'0'.repeat(24)}`

function keeps(
  name: Parameters<typeof samplerOf>[0],
  traceId: string,
  parent: 'none' | 'sampled' | 'unsampled',
): boolean {
  const traceFlags = parent === 'sampled' ? TraceFlags.SAMPLED : TraceFlags.NONE
  const span = { traceId, spanId: 'b7ad6b7169203331', traceFlags, isRemote: true }
  const context = parent === 'none' ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, span)
  const { decision } = samplerOf(name).shouldSample(context, traceId, 'smtp.transaction', SpanKind.SERVER, {}, [])
  return decision === SamplingDecision.RECORD_AND_SAMPLED
}

for (const [sampler, ratio, low, high, sampled, unsampled] of [
  ['always_on', 0, true, true, true, true],
  ['always_off', 1, false, false, false, false],
  ['traceidratio', 1, true, true, true, true],
  ['traceidratio', 0.5, true, false, false, false],
  ['traceidratio', 0, false, false, false, false],
  ['parentbased_always_on', 0, true, true, true, false],
  ['parentbased_always_off', 1, false, false, true, false],
  ['parentbased_traceidratio', 0.5, true, false, true, false],
] as const) {
  test(`${sampler} with the ratio ${ratio}`, () => {
    const settings = { sampler, ratio }
    assert.equal(keeps(settings, LOW, 'none'), low, 'a low trace id')
    assert.equal(keeps(settings, HIGH, 'none'), high, 'a high trace id')
    assert.equal(keeps(settings, HIGH, 'sampled'), sampled, 'a sampled parent')
    assert.equal(keeps(settings, HIGH, 'unsampled'), unsampled, 'an unsampled parent')
  })
}
