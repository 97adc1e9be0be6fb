import assert from 'node:assert/strict'
import { test } from 'node:test'
import { scraped } from '../../support/telemetry/scrape.ts'

test('the figures of a loop are totals for its time, the current heap, and one delay for each report', async () => {
  const { metrics, series } = scraped()
  metrics.observeLoop(0, { active: 1, idle: 9, delay: 0.02, heap: 30_000_000 })
  metrics.observeLoop(0, { active: 1.5, idle: 10, delay: 0.3, heap: 20_000_000 })
  metrics.observeLoop(1, { active: 4, idle: 1, delay: 0, heap: 10_000_000 })
  assert.deepEqual(await series('smtp_proxy_loop_time_seconds_total'), {
    '{smtp_loop="0",nodejs_eventloop_state="active"}': 1.5,
    '{smtp_loop="0",nodejs_eventloop_state="idle"}': 10,
    '{smtp_loop="1",nodejs_eventloop_state="active"}': 4,
    '{smtp_loop="1",nodejs_eventloop_state="idle"}': 1,
  })
  assert.deepEqual(await series('smtp_proxy_loop_heap_bytes'), {
    '{smtp_loop="0"}': 20_000_000,
    '{smtp_loop="1"}': 10_000_000,
  })
  assert.deepEqual(await series('smtp_proxy_loop_delay_seconds_count'), { '{smtp_loop="0"}': 2, '{smtp_loop="1"}': 1 })
  assert.deepEqual(await series('smtp_proxy_loop_delay_seconds_sum'), { '{smtp_loop="0"}': 0.32 })
})
