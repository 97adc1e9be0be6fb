import assert from 'node:assert/strict'
import { test } from 'node:test'
import { scraped } from '../../support/telemetry/scrape.ts'
import { SessionStory } from '../../support/telemetry/session-events.ts'

test('bytes count while a session is open, and never decrease', async () => {
  const { metrics, series } = scraped()
  const bytes = () => series('smtp_proxy_io_bytes_total', { zeros: true })
  const relayed = (transmit: number, receive: number) => ({
    '{network_io_direction="transmit"}': transmit,
    '{network_io_direction="receive"}': receive,
  })
  assert.deepEqual(await bytes(), relayed(0, 0))
  let live = { transmit: 500, receive: 70 }
  metrics.observeLiveBytes(() => live)
  assert.deepEqual(await bytes(), relayed(500, 70))
  live = { transmit: 0, receive: 0 }
  assert.deepEqual(await bytes(), relayed(500, 70), 'a session that vanished without a close event')
  new SessionStory().closed('quit', 600, 80).tell(metrics)
  live = { transmit: 10, receive: 0 }
  assert.deepEqual(await bytes(), relayed(610, 80))
})
