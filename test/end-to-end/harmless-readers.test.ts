/** Telemetry is harmless: whatever scrapers and readers of the log do, mail is relayed as without telemetry. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import { after, before, describe, test } from 'node:test'
import { ask } from '../simulator/client.ts'
import { type Simulator, startSimulator } from '../simulator/simulator.ts'
import type { ProxyProcess } from '../support/processes/proxy-process.ts'
import { loggedIn, startBefore, stopInTime } from '../support/processes/running-proxy.ts'
import { SOME, sendTraffic, type TrafficResult, unobserved } from '../support/traffic/traffic.ts'

/** The limit of one test: a whole suite may take longer than a test that hangs. */
const LIMIT = { timeout: 120_000 }

let simulator: Simulator
/** The result of the same traffic without telemetry. */
let expected: TrafficResult

before(async () => {
  simulator = await startSimulator()
  expected = await unobserved(simulator, SOME)
})
after(() => simulator.close())

describe('Every message is relayed once and unaltered, while', () => {
  test('clients request /metrics and never read', LIMIT, async () => {
    await using proxy = await startBefore(simulator)
    const clients = Array.from({ length: 200 }, () => requestAndNeverRead(proxy.adminPort))
    await Promise.all(clients.map((client) => once(client, 'connect')))
    assert.deepEqual(await sendTraffic(proxy.port, simulator, SOME), expected)
    assert.match(await proxy.metrics(), /^smtp_proxy_transactions_total\{/m)
    assert.equal(await stopInTime(proxy), 0)
    for (const client of clients) client.destroy()
  })

  test('clients request /metrics without pause (MET-07)', LIMIT, async () => {
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
    assert.equal(await stopInTime(proxy), 0)
  })

  test('stdout is not read: dropped lines are counted, and reported once stdout is read again', LIMIT, async () => {
    await using proxy = await startBefore(simulator)
    await flood(proxy)
    assert.deepEqual(await sendTraffic(proxy.port, simulator, SOME), expected)
    proxy.resumeLog()
    await proxy.line(({ dropped }) => dropped !== undefined)
    assert.equal(await stopInTime(proxy), 0)
    const dropped = proxy.lines.reduce((sum, line) => sum + Number(line.dropped ?? 0), 0)
    const mails = proxy.lines.filter(({ msg }) => msg === 'transaction').length
    const sessions = proxy.lines.filter(({ msg }) => msg === 'session').length
    assert.equal(dropped + mails + sessions, FLOOD + 1 + SOME.sessions * (SOME.mails + 1))
  })

  test('stdout is never read again', LIMIT, async () => {
    await using proxy = await startBefore(simulator)
    await flood(proxy)
    assert.deepEqual(await sendTraffic(proxy.port, simulator, SOME), expected)
    assert.equal(await stopInTime(proxy), 0)
  })

  test('stdout is closed: lines are counted as lost once the proxy notices that', LIMIT, async () => {
    await using proxy = await startBefore(simulator)
    proxy.closeLog()
    assert.deepEqual(await sendTraffic(proxy.port, simulator, SOME), expected)
    const [, dropped] = /^smtp_proxy_telemetry_lost_total\{.*"stdout_full"\} (\d+)/m.exec(await proxy.metrics()) ?? []
    assert.ok(Number(dropped) > SOME.sessions * (SOME.mails / 2))
    assert.equal(await stopInTime(proxy), 0)
  })
})

function requestAndNeverRead(port: number): net.Socket {
  const socket = net.connect(port, '127.0.0.1').pause()
  socket.on('error', () => {})
  socket.write('GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n'.repeat(100))
  return socket
}

/** The number of refused messages, each with a line of about 500 bytes: more than the proxy and the kernel buffer. */
const FLOOD = 5000

/** Stops reading the log, and causes so many lines that the proxy drops some. */
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
