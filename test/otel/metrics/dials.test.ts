import assert from 'node:assert/strict'
import { test } from 'node:test'
import { scraped } from '../../support/telemetry/scrape.ts'
import { dial, SessionStory } from '../../support/telemetry/session-events.ts'

test('a preconnect counts like a dial in a session', async () => {
  const ahead = scraped()
  ahead.metrics.dial(dial({ certificateNotAfter: 1_900_000_000 }))
  const within = scraped()
  new SessionStory().dials({ certificateNotAfter: 1_900_000_000 }).tell(within.metrics)
  for (const name of ['dials_total', 'dial_duration_seconds_sum'].map((end) => `smtp_proxy_upstream_${end}`)) {
    const counted = await ahead.series(name)
    assert.notDeepEqual(counted, {})
    assert.deepEqual(await within.series(name), counted)
  }
})

test('each phase that a dial entered has a duration, and always the total', async () => {
  const { metrics, series } = scraped()
  metrics.dial(dial({ error: 'connect_timeout', at: 0, end: 10_000, phases: { resolve: 5, connect: 9995 } }))
  assert.deepEqual(await series('smtp_proxy_upstream_dial_duration_seconds_sum'), {
    '{smtp_dial_phase="resolve",server_address="send.example"}': 0.005,
    '{smtp_dial_phase="connect",server_address="send.example"}': 9.995,
    '{smtp_dial_phase="total",server_address="send.example"}': 10,
  })
})

test('lookups count by their result, and preconnected connections by how their wait ended', async () => {
  const { metrics, series } = scraped()
  const upstream = metrics.upstream!
  const serverAddress = 'send.example'
  upstream({ type: 'lookup', at: 0, end: 1, serverAddress })
  upstream({ type: 'lookup', at: 0, end: 1, serverAddress })
  upstream({ type: 'lookup', at: 0, end: 1, serverAddress, error: 'resolver_failed', detail: 'EAI_AGAIN' })
  const preconnect = dial({})
  for (const end of ['expired', 'expired', 'lost'] as const) upstream({ type: 'unused', at: 9, end, dial: preconnect })
  new SessionStory().preconnected(preconnect).tell(metrics)
  assert.deepEqual(await series('smtp_proxy_upstream_lookups_total'), {
    '{server_address="send.example"}': 2,
    '{error_type="resolver_failed",server_address="send.example"}': 1,
  })
  assert.deepEqual(await series('smtp_proxy_upstream_preconnections_total'), {
    '{smtp_preconnection_end="expired",server_address="send.example"}': 2,
    '{smtp_preconnection_end="lost",server_address="send.example"}': 1,
    '{smtp_preconnection_end="used",server_address="send.example"}': 1,
  })
})
