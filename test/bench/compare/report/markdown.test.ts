/** The report in Markdown. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { markdownOf } from '../../../../bench/compare/report/markdown.ts'
import { number, signed } from '../../../../bench/compare/report/numbers.ts'
import { RESULTS } from './example.ts'

const lines = (text: string) => text.split('\n')

describe('the report in Markdown', () => {
  const report = markdownOf(RESULTS)

  test('names the date, the commit, the rounds and the machine', () => {
    assert.match(
      report,
      /^2026-11-30, commit abc1234: medians of 3 rounds \(lowest to highest\) of 2 s; took 2 min\.\n/,
    )
    assert.match(
      report,
      /Machine: 2 cores \(Test <CPU>\), 4 GiB, Debian, Linux 6\.1, Node v24\.0\.0; load before the run: 0\.1\./,
    )
  })

  test('has a table per workload with medians, spreads and the ratio to the prototype', () => {
    assert.ok(lines(report).includes('### W1, TLS upstream: one 2 KB message per connection'))
    assert.ok(
      lines(report).includes(
        '| | CPU ms per message | CPU, observing prototype = 1 | messages/s | generator, upstream: cores |',
      ),
    )
    assert.ok(lines(report).includes('| ours, default telemetry | 1.60 (1.50 to 1.70) | 1.60 | 500 | 0.50, 0.25 |'))
    assert.ok(lines(report).includes('| direct | – | – | 500 | 0.50, 0.25 |'))
  })

  test('shows latencies, and what was added to the direct connection, at the offered rate', () => {
    assert.match(report, /### W5, 30% load, TLS upstream: latency of single 2 KB messages, open loop; 250 messages\/s/)
    assert.match(
      report,
      /\| ours, default telemetry \| 0\.300 \| 500 \| 0\.500 \| 3\.25 \| 12\.0 \| \+0\.300 \| \+2\.25 \|/,
    )
  })

  test('shows a percentile of all rounds together if single rounds have too few messages for it', () => {
    const series = RESULTS.series.map((one) => ({ ...one, pooled: { p50: 9, p99: 9, p999: 77 } }))
    assert.match(markdownOf({ ...RESULTS, series }), /\| direct \| – \| 500 \| 0\.200 \| 1\.00 \| 77\.0 \|/)
  })

  test('reports failures and what was not measured, each with its reason', () => {
    assert.ok(lines(report).includes('Failed: HAProxy: haproxy exited with 1: no output'))
    assert.ok(lines(report).includes('- stunnel: not installed (Debian: apt-get install stunnel4).'))
    assert.ok(lines(report).includes('- Postfix before-queue proxy (TLS upstream): no TLS.'))
  })

  test('shows how late the generator itself was in open loops', () => {
    const series = RESULTS.series.map((one) => ({
      ...one,
      samples: one.samples.map((sample) => ({ ...sample, latenessP99: 0.4 })),
    }))
    assert.match(markdownOf({ ...RESULTS, series }), /\| generator late, p99 ms \|.*\| 0\.400 \| 0\.50, 0\.25 \|/s)
  })

  test('marks processes of one thread that used most of a core', () => {
    const series = RESULTS.series.map((one) => ({
      ...one,
      samples: one.samples.map((sample) => ({ ...sample, sinkCores: 0.95 })),
    }))
    assert.match(markdownOf({ ...RESULTS, series }), /0\.50, 0\.95\*/)
  })

  test('says that it is partial after Ctrl-C', () => {
    assert.match(markdownOf({ ...RESULTS, partial: true }), /^\*\*Interrupted/)
  })

  test('is complete without any measurement', () => {
    assert.match(markdownOf({ ...RESULTS, series: [], skipped: [] }), /^2026-11-30/)
  })
})

test('numbers have three digits', () => {
  assert.deepEqual([0, 0.01234, 0.1234, 1.234, 12.34, 123.4, 12345].map(number), [
    '0',
    '0.0123',
    '0.123',
    '1.23',
    '12.3',
    '123',
    '12345',
  ])
  assert.deepEqual([1.5, -1.5, 0].map(signed), ['+1.50', '-1.50', '+0'])
})
