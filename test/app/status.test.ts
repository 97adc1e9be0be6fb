import assert from 'node:assert/strict'
import { hostname } from 'node:os'
import { test } from 'node:test'
import { readSettings } from '../../app/settings.ts'
import { Status } from '../../app/status.ts'
import packageJson from '../../package.json' with { type: 'json' }
import type { Bound, MailServer } from '../../proxy/server/server.ts'
import { CHANGES } from '../../proxy/session/changes.ts'
import type { StatusReport } from '../../status/report.ts'
import { ask } from '../simulator/client.ts'
import { startSimulator } from '../simulator/simulator.ts'
import { inBody, loggedIn, startBefore } from '../support/processes/running-proxy.ts'
import { until } from '../support/waiting/until.ts'

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

test('the status has the actual ports, the upstreams in order, limits, warnings, and what the proxy changes', () => {
  const settings = readSettings({
    PROXY_UPSTREAM: 'smtp://one.example:587,smtp://two.example:2525',
    PROXY_IDLE_TIMEOUT: '50s',
  })
  assert.ok('config' in settings)
  const report = new Status(settings, 'instance-7').report(server)
  assert.deepEqual(report.instance, { host: hostname(), id: 'instance-7' })
  assert.equal(report.version, packageJson.version)
  assert.deepEqual(report.listeners, ['smtp://127.0.0.1:2525', 'smtps://[::1]:4650'])
  assert.deepEqual(report.upstreams, [{ server: 'one.example:587' }, { server: 'two.example:2525' }])
  assert.deepEqual([report.limits.sessions, report.limits.maxSessions], [3, settings.config.maxSessions])
  assert.ok(report.limits.openFiles! > 0)
  assert.match(report.warnings.join(), /PROXY_IDLE_TIMEOUT: 50s is not above/)
  assert.deepEqual(report.changes, CHANGES)
  assert.equal(report.flow.flowing, 'draining')
})

test('with several workers there is one page, and it counts the messages of all', async (context) => {
  await using simulator = await startSimulator()
  const proxy = await startBefore(simulator, { PROXY_WORKERS: '2' })
  context.after(() => proxy.stop())
  const clients = await loggedIn(proxy, 8)
  for (const [number, client] of clients.entries()) {
    await inBody(client, `message${number}`)
    assert.match(await ask(client, '.'), /^250 /)
  }
  const page = async () => {
    const response = await fetch(`http://127.0.0.1:${proxy.adminPort}/status.json`)
    return (await response.json()) as StatusReport
  }
  await until('all messages are counted', async () => (await page()).total.outcomes.accepted === 8)
  await until('both event loops are shown', async () => (await page()).loops.length === 2)
  for (const client of clients) client.destroy()
})
