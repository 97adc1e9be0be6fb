/**
 * A process that did not run for some time: it was stopped, the machine slept, or its event loop was blocked.
 * Afterwards its timers run before its sockets are read. So the first check of a limit does not know of bytes that have
 * arrived.
 */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { Ticker } from '../../proxy/server/ticker.ts'
import { startSimulator } from '../simulator/simulator.ts'
import { Clock } from '../support/in-process/clock.ts'
import { sessionAt } from '../support/in-process/message-states.ts'
import { drop, mailOf } from '../support/in-process/session-end.ts'
import { Stage } from '../support/in-process/stage.ts'
import { inBody, loggedIn, startBefore } from '../support/processes/running-proxy.ts'

const tickMs = 10
const IDLE_MS = 60_000
const ACCEPTED = '250 2.0.0 r-000123\r\n'

describe('After a pause of the whole process,', () => {
  let clock: Clock
  before(() => {
    clock = new Clock()
  })
  after(() => clock[Symbol.dispose]())

  /** Advances the clock and blocks the event loop until the proxy's timer is due. */
  function nothingRunsFor(milliseconds: number): void {
    clock.passes(milliseconds)
    const until = Date.now() + 5 * tickMs
    while (Date.now() < until);
  }

  test('a body whose next bytes have arrived is relayed', async (t) => {
    const stage = await Stage.open('plain', { env: { PROXY_IDLE_TIMEOUT: '60s' }, limits: { tickMs } })
    t.after(() => stage.close())
    const session = await sessionAt('in the body', stage)
    await session.client.send('.\r\n')
    nothingRunsFor(2 * IDLE_MS)
    assert.equal((await session.upstream.readBytes(3)).toString(), '.\r\n')
    await session.upstream.send(ACCEPTED)
    assert.equal(await session.client.readReply(), ACCEPTED)
    await drop(session)
  })

  test('an idle session receives its 421 at the second check', async (t) => {
    const stage = await Stage.open('plain', { env: { PROXY_IDLE_TIMEOUT: '60s' }, limits: { tickMs } })
    t.after(() => stage.close())
    const session = await sessionAt('between mails', stage)
    nothingRunsFor(2 * IDLE_MS)
    assert.match(await session.client.readReply(), /^421 4\.4\.2 /)
    await drop(session)
  })

  test('a final reply that has arrived for a disconnected client is recorded', async (t) => {
    const stage = await Stage.open('plain', { limits: { tickMs, finalReplyMs: 60_000 } })
    t.after(() => stage.close())
    const session = await sessionAt('dot unanswered', stage)
    await session.client.reset()
    await pause(100) // no event shows that the proxy has noticed the reset
    await session.upstream.send(ACCEPTED)
    nothingRunsFor(120_000)
    assert.equal(mailOf(await drop(session)), 'tx-commit accepted 250 undelivered END-OF-MESSAGE')
  })

  test('a QUIT that has arrived during a drain is answered by the upstream', async (t) => {
    const stage = await Stage.open('plain', { limits: { tickMs, drainQuietMs: 60_000, drainSpreadMs: 1 } })
    t.after(() => stage.close())
    const session = await sessionAt('mail accepted', stage)
    const drained = stage.server.drain()
    await session.client.send('QUIT\r\n')
    nothingRunsFor(120_000)
    await session.upstream.readUntil('QUIT\r\n')
    await session.upstream.send('221 bye\r\n')
    await session.upstream.end()
    assert.equal(await session.client.readReply(), '221 bye\r\n')
    await drop(session)
    assert.equal(await drained, 0)
  })

  test('at most ten ticks in a row count as late, so that limits hold in a process that is always overloaded', async () => {
    const late: boolean[] = []
    const { promise, resolve } = Promise.withResolvers<void>()
    const ticker = new Ticker(tickMs, (_at, isLate) => {
      late.push(isLate)
      clock.passes(IDLE_MS) // so the next one is late again
      if (late.length === 12) resolve()
    })
    clock.passes(IDLE_MS)
    await promise
    ticker.stop()
    assert.deepEqual(late, [...Array(10).fill(true), false, true])
  })
})

test('a proxy that was stopped for longer than its idle limit relays the messages that were in flight', async () => {
  await using simulator = await startSimulator()
  await using proxy = await startBefore(simulator, { PROXY_IDLE_TIMEOUT: '1s' })
  const clients = await loggedIn(proxy, 10)
  for (const [number, client] of clients.entries()) await inBody(client, `stopped${number}`)
  process.kill(proxy.pid, 'SIGSTOP')
  for (const client of clients) await client.send('the other half\r\n.\r\n')
  await pause(3000)
  process.kill(proxy.pid, 'SIGCONT')
  for (const client of clients) assert.match(await client.readReply(), /^250 OK ids=/)
  for (const client of clients) client.destroy()
})
