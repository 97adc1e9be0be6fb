/** Telemetry cannot hurt: whatever scrapers and readers of the log do, mail goes on as if nobody observed it. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import { after, before, describe, test } from 'node:test'
import { ask } from '../simulator/client.ts'
import { type Simulator, startSimulator } from '../simulator/simulator.ts'
import type { ProxyProcess } from '../support/processes/proxy-process.ts'
import { loggedIn, startBefore } from '../support/processes/running-proxy.ts'
import { SOME, sendTraffic, type Told, unobserved } from '../support/traffic/traffic.ts'

/** For each test, not for its suite: all of a suite may rightly take longer than one test that hangs. */
const LIMIT = { timeout: 120_000 }

/** How long a process may take to end. Only a process that hangs reaches it. */
const GENEROUS_MS = 25_000

let simulator: Simulator
/** What the same traffic looks like when nobody observes it. */
let expected: Told

before(async () => {
  simulator = await startSimulator()
  expected = await unobserved(simulator, SOME)
})
after(() => simulator.close())

/** The exit code of a proxy that is told to stop. */
async function endOf(proxy: ProxyProcess): Promise<number | null> {
  const began = performance.now()
  const code = await proxy.stop()
  assert.ok(performance.now() - began < GENEROUS_MS)
  return code
}

describe('every mail goes through unaltered, once, while', () => {
  test('clients ask for /metrics and never read', LIMIT, async () => {
    await using proxy = await startBefore(simulator)
    const clients = Array.from({ length: 200 }, () => askAndNeverRead(proxy.adminPort))
    await Promise.all(clients.map((client) => once(client, 'connect')))
    assert.deepEqual(await sendTraffic(proxy.port, simulator, SOME), expected)
    assert.match(await proxy.metrics(), /^smtp_proxy_transactions_total\{/m)
    assert.equal(await endOf(proxy), 0)
    for (const client of clients) client.destroy()
  })

  test('clients ask for /metrics without pause (MET-07)', LIMIT, async () => {
    await using proxy = await startBefore(simulator)
    let over = false
    let pages = 0
    const scrapers = Array.from({ length: 10 }, async () => {
      for (; !over; pages += 1) await proxy.metrics()
    })
    assert.deepEqual(await sendTraffic(proxy.port, simulator, SOME), expected)
    over = true
    await Promise.all(scrapers)
    assert.ok(pages >= 10)
    assert.equal(await endOf(proxy), 0)
  })

  test(
    'nobody reads stdout: lines that were dropped are counted, and told when there is a reader again',
    LIMIT,
    async () => {
      await using proxy = await startBefore(simulator)
      await flood(proxy)
      assert.deepEqual(await sendTraffic(proxy.port, simulator, SOME), expected)
      proxy.resumeLog()
      await proxy.line(({ dropped }) => dropped !== undefined)
      assert.equal(await endOf(proxy), 0)
      const told = proxy.lines.reduce((sum, { dropped }) => sum + Number(dropped ?? 0), 0)
      const mails = proxy.lines.filter(({ msg }) => msg === 'transaction').length
      const sessions = proxy.lines.filter(({ msg }) => msg === 'session').length
      assert.equal(told + mails + sessions, FLOOD + 1 + SOME.sessions * (SOME.mails + 1))
    },
  )

  test('nobody reads stdout to the end', LIMIT, async () => {
    await using proxy = await startBefore(simulator)
    await flood(proxy)
    assert.deepEqual(await sendTraffic(proxy.port, simulator, SOME), expected)
    assert.equal(await endOf(proxy), 0)
  })

  test('stdout is closed: lines are counted from when that is found out', LIMIT, async () => {
    await using proxy = await startBefore(simulator)
    proxy.closeLog()
    assert.deepEqual(await sendTraffic(proxy.port, simulator, SOME), expected)
    const [, dropped] = /^smtp_proxy_telemetry_lost_total\{.*"stdout_full"\} (\d+)/m.exec(await proxy.metrics()) ?? []
    assert.ok(Number(dropped) > SOME.sessions * (SOME.mails / 2))
    assert.equal(await endOf(proxy), 0)
  })
})

function askAndNeverRead(port: number): net.Socket {
  const socket = net.connect(port, '127.0.0.1').pause()
  socket.on('error', () => {})
  socket.write('GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n'.repeat(100))
  return socket
}

/** Refused mails: a line of some 500 bytes each. More than may wait in the proxy and in the kernel. */
const FLOOD = 5000

/** Stops reading, and makes more lines than may wait, until some are dropped. */
async function flood(proxy: ProxyProcess): Promise<void> {
  const [client] = await loggedIn(proxy, 1)
  proxy.pauseLog()
  const burst = 'MAIL FROM:<fault+521-at-mail@example.com>\r\n'.repeat(100)
  for (let sent = 0; sent < FLOOD; sent += 100) {
    await client!.send(burst)
    for (let reply = 0; reply < 100; reply += 1) assert.match(await client!.readReply(), /^521 /)
  }
  await ask(client!, 'QUIT')
  await client!.end()
  assert.match(await proxy.metrics(), /^smtp_proxy_telemetry_lost_total\{.*"stdout_full"\} [1-9]/m)
}
