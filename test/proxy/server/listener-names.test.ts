/** Listeners that name their clients (`?client=`), with one event loop and with several. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { ask } from '../../simulator/client.ts'
import { type Simulator, startSimulator } from '../../simulator/simulator.ts'
import { startProxy } from '../../support/processes/proxy-process.ts'
import { connectClient } from '../../support/sockets/scripted-peers.ts'
import { until } from '../../support/waiting/until.ts'

const LISTENERS = ['', '?client=probe', '?client=shared', '?client=Billing_2']

/** Clients of 127.0.0.0/8 are named `shared` where the listener does not name them. */
const EXPECTED = { probe: 2, shared: 1 + 3, Billing_2: 4 }

/** The number of ended sessions by the name of the client. */
function endedByName(page: string): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {}
  const series = page.matchAll(/^smtp_proxy_session_duration_seconds_count\{.*smtp_client_name="([^"]+)".*\} (\d+)$/gm)
  for (const [, name = '', count] of series) counts[name] = (counts[name] ?? 0) + Number(count)
  return counts
}

async function visit(port: number): Promise<void> {
  const client = await connectClient({ port })
  assert.match(await client.readReply(), /^220 /)
  assert.match(await ask(client, 'QUIT'), /^221 /)
  await client.end()
}

describe('The name of a listener', () => {
  let simulator: Simulator
  before(async () => {
    simulator = await startSimulator()
  })
  after(() => simulator.close())

  for (const workers of ['1', '3'])
    test(`is the name of its clients, whatever PROXY_CLIENTS says (PROXY_WORKERS=${workers})`, async () => {
      await using proxy = await startProxy({
        PROXY_LISTEN: LISTENERS.map((parameters) => `smtp://127.0.0.1:0${parameters}`).join(),
        PROXY_CLIENTS: 'shared=127.0.0.0/8',
        PROXY_WORKERS: workers,
        PROXY_UPSTREAM: `smtp://localhost:${simulator.port}`,
        PROXY_UPSTREAM_CA_FILE: simulator.caFile,
      })
      const first = await proxy.metrics()
      for (const name of ['other', ...Object.keys(EXPECTED)])
        assert.ok(first.includes(`smtp_proxy_session_active{smtp_client_name="${name}"} 0\n`), `${name} is known early`)
      for (const [index, port] of proxy.ports.entries()) {
        for (let session = 0; session <= index; session += 1) await visit(port)
      }
      let page = first
      await until('the sessions end', async () => {
        page = await proxy.metrics()
        return Object.values(endedByName(page)).reduce((sum, count) => sum + count, 0) === 10
      })
      assert.deepEqual(endedByName(page), EXPECTED)
    })

  test('is the name of a client that is refused, too', async () => {
    await using proxy = await startProxy({
      PROXY_LISTEN: 'smtp://127.0.0.1:0?client=probe',
      PROXY_ALLOW: '10.0.0.0/8',
      PROXY_UPSTREAM: `smtp://localhost:${simulator.port}`,
      PROXY_UPSTREAM_CA_FILE: simulator.caFile,
    })
    const client = await connectClient({ port: proxy.port })
    assert.match(await client.readReply(), /^421 4\.7\.0 /)
    await client.end()
    await until('the session ends', async () => endedByName(await proxy.metrics()).probe === 1)
  })
})
