import assert from 'node:assert/strict'
import { test } from 'node:test'
import { statusOf } from '../../app/status.ts'
import packageJson from '../../package.json' with { type: 'json' }
import type { Bound, MailServer } from '../../proxy/server/server.ts'
import { CHANGES } from '../../proxy/session/changes.ts'
import { parseConfig } from '../../proxy/settings/settings.ts'

/** A configured listener on port 0, and the port that it got. */
function bound(scheme: 'smtp' | 'smtps', host: string, port: number): Bound {
  const listener = { url: `${scheme}://${host}:0`, scheme, host, port: 0, starttlsRequired: false }
  return { listener, address: host, port }
}

const server: MailServer = {
  bound: [bound('smtp', '127.0.0.1', 2525), bound('smtps', '::1', 4650)],
  draining: true,
  activeSessions: 3,
  refusedCuts: () => assert.fail('not part of the status'),
  liveBytes: () => assert.fail('not part of the status'),
  drain: () => assert.fail('the status changes nothing'),
  close: () => assert.fail('the status changes nothing'),
}

test('the status has the actual ports, the upstreams in order, and what the proxy changes', () => {
  const parsed = parseConfig({ PROXY_UPSTREAM: 'smtp://one.example:587,smtp://two.example:2525' })
  assert.ok('config' in parsed)
  assert.deepEqual(statusOf(server, parsed.config, Date.now() - 61_500), {
    version: packageJson.version,
    uptimeSeconds: 61,
    listeners: ['smtp://127.0.0.1:2525', 'smtps://[::1]:4650'],
    upstreams: ['one.example:587', 'two.example:2525'],
    activeSessions: 3,
    draining: true,
    changes: CHANGES,
  })
})
