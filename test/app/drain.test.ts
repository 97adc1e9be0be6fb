/** Messages that a drain cuts are still scraped: the admin server stays until the next scrape, but not without need. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { type Simulator, startSimulator } from '../simulator/simulator.ts'
import { prometheusMissing, startPrometheus } from '../support/monitoring/prometheus.ts'
import type { ProxyProcess } from '../support/processes/proxy-process.ts'
import { assertSilent, inBody, loggedIn, startBefore, status } from '../support/processes/running-proxy.ts'
import { unless } from '../support/programs/programs.ts'

const DRAINED = /smtp_proxy_transactions_total\{smtp_transaction_outcome="tempfail",error_type="drained"[^}]*\} 1$/m

let simulator: Simulator
before(async () => {
  simulator = await startSimulator()
})
after(() => simulator.close())

/** A proxy with an unfinished body, which the drain will cut. */
async function startAmidBody(env: Readonly<Record<string, string>> = {}): Promise<ProxyProcess> {
  const proxy = await startBefore(simulator, { PROXY_DRAIN_TIMEOUT: '300ms', ...env })
  const [client] = await loggedIn(proxy, 1)
  await inBody(client!, 'never')
  return proxy
}

function waiting({ msg }: Readonly<Record<string, unknown>>): boolean {
  return msg === 'waiting for the last scrape'
}

describe('A drain that cut messages', () => {
  test('keeps /metrics until the next scrape, which includes them, and exits directly after it (MET-10)', async () => {
    await using proxy = await startAmidBody()
    await proxy.metrics()
    const exited = proxy.stop()
    await proxy.line(waiting)
    assert.deepEqual([await status(proxy, '/readyz'), await status(proxy, '/livez')], [503, 200])
    const page = await proxy.metrics()
    assert.match(page, DRAINED)
    assert.match(page, /smtp_proxy_session_duration_seconds_count\{smtp_session_close_reason="drained"[^}]*\} 1$/m)
    assert.equal(await exited, 0)
    assertSilent(proxy)
  })

  test('also with several event loops (MET-10)', async () => {
    await using proxy = await startAmidBody({ PROXY_WORKERS: '2' })
    await proxy.metrics()
    const exited = proxy.stop()
    await proxy.line(waiting)
    assert.match(await proxy.metrics(), DRAINED)
    assert.equal(await exited, 0)
  })

  test('waits no longer than PROXY_STOP_GRACE allows (MET-10)', async () => {
    // 5 s of this are reserved for the exit
    await using proxy = await startAmidBody({ PROXY_STOP_GRACE: '5500ms' })
    await proxy.metrics()
    const exited = proxy.stop()
    assert.ok(Number((await proxy.line(waiting)).seconds) <= 0.5)
    assert.equal(await exited, 0)
  })

  test('a second signal ends the wait (MET-10)', async () => {
    await using proxy = await startAmidBody({ PROXY_STOP_GRACE: '1h' })
    await proxy.metrics()
    const exited = proxy.stop()
    await proxy.line(waiting)
    process.kill(proxy.pid, 'SIGINT')
    assert.equal(await exited, 1)
  })

  for (const [what, env, scraped] of [
    ['no one scrapes', {}, false],
    ['the metrics are not scraped but exported', { OTEL_METRICS_EXPORTER: 'none' }, true],
    ['telemetry is off', { OTEL_SDK_DISABLED: 'true' }, true],
    ['there is no time left', { PROXY_STOP_GRACE: '5s' }, true],
  ] as const)
    test(`does not wait when ${what} (MET-10)`, async () => {
      await using proxy = await startAmidBody({ PROXY_STOP_GRACE: '1h', ...env })
      if (scraped) await proxy.metrics()
      assert.equal(await proxy.stop(), 0)
      assert.ok(!proxy.lines.some(waiting))
    })
})

test('a drain that cut nothing does not wait (MET-10)', async () => {
  await using proxy = await startBefore(simulator, { PROXY_STOP_GRACE: '1h' })
  await proxy.metrics()
  assert.equal(await proxy.stop(), 0)
  assert.ok(!proxy.lines.some(waiting))
})

test('a real Prometheus sees what a drain cut (MET-10)', unless(prometheusMissing()), async () => {
  await using proxy = await startAmidBody()
  const target = { job: 'proxy', url: `http://127.0.0.1:${proxy.adminPort}/metrics` }
  await using prometheus = await startPrometheus({ targets: [target], scrapeIntervalMs: 2000 })
  const drained = 'smtp_proxy_transactions_total{error_type="drained",smtp_transaction_outcome="tempfail"}'
  await prometheus.waitFor(`${drained} == 0`)
  assert.equal(await proxy.stop(), 0)
  await prometheus.waitFor(`max_over_time(${drained}[1m]) == 1`)
})
