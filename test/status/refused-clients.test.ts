/** The clients that the proxy itself refused, from the records of sessions. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import pino from 'pino'
import { uncounted } from '../../otel/export/losses.ts'
import { Log } from '../../otel/records/log.ts'
import { createRecords } from '../../otel/records/recorder.ts'
import type { CloseReason } from '../../proxy/events/closed-sets.ts'
import { clientNetwork } from '../../proxy/net/networks.ts'
import { NETWORKS, RefusedClients, type ShowClient } from '../../status/refused-clients.ts'
import { SessionStory } from '../support/telemetry/session-events.ts'

function after(stories: readonly SessionStory[], show: ShowClient = clientNetwork) {
  const refused = new RefusedClients(show)
  const log = new Log(pino({ level: 'silent' }), uncounted)
  const records = createRecords({ log, also: [refused], recordAddresses: 'none' })
  for (const story of stories) story.tell(records)
  return refused.report()
}

function refusal(reason: CloseReason, clientAddress: string, at = 1_000_000): SessionStory {
  return new SessionStory({ clientName: 'other', clientAddress, at }).closed(reason)
}

test('refusals are counted by network and reason, with the setting to change', () => {
  const { clients } = after([
    refusal('not_allowed', '198.51.100.7'),
    refusal('session_limit', '198.51.100.7'),
    refusal('not_allowed', '198.51.100.9', 2_000_000),
    refusal('proxy_header', '2001:db8:1:2::3', 3_000_000),
  ])
  assert.deepEqual(
    clients.map(({ client, app, refusal: reason, count, setting }) => [client, app, reason, count, setting]),
    [
      ['2001:db8:1::/48', 'other', 'proxy_header', 1, 'PROXY_TRUST_PROXY_PROTOCOL'],
      ['198.51.100.0/24', 'other', 'not_allowed', 2, 'PROXY_ALLOW'],
      ['198.51.100.0/24', 'other', 'session_limit', 1, 'PROXY_MAX_SESSIONS, PROXY_MAX_SESSIONS_PER_CLIENT'],
    ],
  )
  assert.ok(clients[1]!.lastAt >= 2_000_000)
})

test('an address is shown only if the operator allows it', () => {
  const stories = [refusal('not_allowed', '198.51.100.7')]
  assert.doesNotMatch(JSON.stringify(after(stories)), /198\.51\.100\.7/)
  assert.equal(after(stories, (address) => address).clients[0]?.client, '198.51.100.7')
})

test('sessions that end otherwise are not refused clients', () => {
  const ends = (['quit', 'idle', 'dial_failed', 'tls_failed', 'drained', 'upstream_421'] as const).map((reason) =>
    new SessionStory().greeted().closed(reason),
  )
  assert.deepEqual(after(ends), { clients: [], further: 0 })
})

test(`${NETWORKS} networks are kept, those that were refused last; refusals of others are only counted`, () => {
  const app = (at: number) => refusal('not_allowed', '192.0.2.1', at)
  const scan = Array.from({ length: 2 * NETWORKS }, (_, index) =>
    refusal('not_allowed', `10.0.${index}.1`, 1000 + index),
  )
  const half = scan.length / 2 - 2
  const { clients, further } = after([app(1), ...scan.slice(0, half), app(2), ...scan.slice(half), app(3)])
  assert.equal(clients.length, NETWORKS)
  assert.deepEqual([clients[0]?.client, clients[0]?.count], ['192.0.2.0/24', 1])
  assert.equal(
    clients.reduce((sum, { count }) => sum + count, further),
    scan.length + 3,
  )
})
