/** When certificates expire, as metrics report it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Dial } from '../../../proxy/events/dial.ts'
import { scraped } from '../../support/telemetry/scrape.ts'
import { dial } from '../../support/telemetry/session-events.ts'

const HOUR_MS = 3_600_000

test('the earliest date of the upstream certificates is reported, and that of the listener', async () => {
  const { metrics, series } = scraped()
  const name = 'smtp_proxy_certificate_not_after_seconds'
  assert.deepEqual(await series(name), {})
  metrics.dial(dial({ certificateNotAfter: 1_900_000_000 }))
  metrics.dial(dial({ serverAddress: 'send-us.example', certificateNotAfter: 1_800_000_000 }))
  metrics.setListenerCertificate(1_850_000_000)
  assert.deepEqual(await series(name), {
    '{tls_side="listener"}': 1_850_000_000,
    '{tls_side="upstream"}': 1_800_000_000,
  })
  metrics.dial(dial({ serverAddress: 'send-us.example', certificateNotAfter: 1_950_000_000 }))
  assert.equal((await series(name))['{tls_side="upstream"}'], 1_900_000_000)
})

test('an upstream that was dialled once, during a failover, keeps its date for a day', async () => {
  const { metrics, series } = scraped()
  const reported = async () => (await series('smtp_proxy_certificate_not_after_seconds'))['{tls_side="upstream"}']
  const dialled = (hour: number, serverAddress: string, facts: Partial<Dial>) =>
    metrics.dial(dial({ at: hour * HOUR_MS, serverAddress, ...facts }))
  dialled(0, 'send-us.example', { certificateNotAfter: 1_800_000_000 })
  dialled(24, 'send.example', { certificateNotAfter: 1_900_000_000 })
  assert.equal(await reported(), 1_800_000_000)
  dialled(49, 'send.example', { error: 'connect_refused' })
  assert.equal(await reported(), 1_800_000_000, 'a dial that failed shows no certificate')
  dialled(49, 'send.example', { certificateNotAfter: 1_900_000_000 })
  assert.equal(await reported(), 1_900_000_000)
  dialled(100, 'send-us.example', { certificateNotAfter: 1_950_000_000 })
  assert.equal(await reported(), 1_950_000_000, 'the other date is two days old')
  dialled(101, 'send.example', { certificateNotAfter: 1_900_000_000 })
  assert.equal(await reported(), 1_900_000_000)
})
