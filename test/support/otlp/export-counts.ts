/** Counts the contents of OTLP exports. */
import type { ReceivedExport } from './otlp-receiver.ts'
import { valuesAt } from './protobuf.ts'

/** The number of spans or log records in an export: both are at the third level. */
export function recordsOf({ body }: ReceivedExport): number {
  return valuesAt(body, 1, 2, 2).length
}

/**
 * The series of a counter in the last export that contains it, by the values of their attributes, without zeros:
 * `{ 'traces export_failed': 5 }`. The field numbers are those of opentelemetry/proto/metrics/v1/metrics.proto.
 */
export function counterOf(exports: readonly ReceivedExport[], name: string): Record<string, number> {
  const found = exports
    .filter(({ path }) => path === '/v1/metrics')
    .flatMap(({ body }) => buffersAt(body, 1, 2, 2))
    .findLast((metric) => String(valuesAt(metric, 1)[0]) === name)
  const points = found ? buffersAt(found, 7, 1) : []
  const series = points.map((point) => [labelsOf(point), Number(buffersAt(point, 6)[0]?.readBigInt64LE())] as const)
  return Object.fromEntries(series.filter(([, value]) => value !== 0))
}

function labelsOf(point: Buffer): string {
  const pairs = buffersAt(point, 7).map((pair) => [String(valuesAt(pair, 1)[0]), String(valuesAt(pair, 2, 1)[0])])
  const sorted = pairs.toSorted(([one = ''], [other = '']) => (one < other ? 1 : -1))
  return sorted.map(([, value]) => value).join(' ')
}

function buffersAt(message: Buffer, ...path: readonly number[]): Buffer[] {
  return valuesAt(message, ...path).filter((value) => typeof value !== 'bigint')
}
