/** Observation may fail; mail must not stop. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { combine, guard, type Observer, type Telemetry } from '../../../proxy/events/observer.ts'
import type { SessionEvent, SessionOpen } from '../../../proxy/events/session-event.ts'
import { startServer } from '../../../proxy/server/server.ts'
import { parseConfig } from '../../../proxy/settings/settings.ts'
import { AUTH_PLAIN, ask, loggedIn, send } from '../../simulator/client.ts'
import { startSimulator } from '../../simulator/simulator.ts'
import { connectClient } from '../../support/sockets/scripted-peers.ts'

const OPENING: SessionOpen = {
  type: 'session-open',
  at: 0,
  sessionId: 's',
  clientName: 'other',
  clientAddress: '127.0.0.1',
  clientPort: 1,
  listener: 'smtp://127.0.0.1:0',
  serverAddress: 'localhost',
}
const EVENT: SessionEvent = { type: 'identify', at: 1, command: 'EHLO' }

function broken(): never {
  throw new Error('a bug in an observer')
}

test('an observer that throws is reported each time, and silenced after the third', () => {
  let calls = 0
  const failures: unknown[] = []
  const guarded = guard(
    () => {
      calls += 1
      broken()
    },
    (error) => failures.push(error),
  )
  for (let times = 0; times < 10; times += 1) guarded(EVENT)
  assert.deepEqual([calls, failures.length], [3, 3])
})

test('a receiver that fails does not hide the session from the others', () => {
  const seen: string[] = []
  let failures = 0
  const good: Telemetry = {
    open: () => (event) => seen.push(event.type),
    dial: () => seen.push('dial'),
    upstream: (event) => seen.push(event.type),
    observerFailed: () => {
      failures += 1
    },
  }
  const bad: Telemetry = { open: broken, dial: broken, upstream: broken, observerFailed() {} }
  const without: Telemetry = { open: () => () => {}, dial() {}, observerFailed() {} }
  const all = combine(bad, without, good)
  all.open(OPENING)(EVENT)
  all.dial({ type: 'dial', at: 0, end: 1, serverAddress: 'h', serverPort: 25, phases: {}, resumed: false })
  all.upstream!({ type: 'lookup', at: 0, end: 1, serverAddress: 'h' })
  assert.deepEqual(seen, ['identify', 'dial', 'lookup'])
  assert.equal(failures, 3)
})

test('every observer throws at every event, and the message is still delivered (MET-08)', async (t) => {
  const simulator = await startSimulator()
  t.after(() => simulator.close())
  const parsed = parseConfig({
    PROXY_LISTEN: 'smtp://127.0.0.1:0',
    PROXY_UPSTREAM: `smtp://localhost:${simulator.port}`,
    PROXY_UPSTREAM_CA_FILE: simulator.caFile,
    PROXY_WARM_CONNECTIONS: '0',
  })
  if ('mistakes' in parsed) throw new Error(parsed.mistakes.join('\n'))
  let failures = 0
  const observer: Observer = broken
  const failing: Telemetry = {
    open: () => observer,
    dial: broken,
    observerFailed: () => {
      failures += 1
    },
  }
  const proxy = await startServer({ config: parsed.config, telemetry: combine(failing) })
  t.after(() => proxy.close())
  const client = await loggedIn(simulator)
  const direct = await send(client)
  client.destroy()
  const through = await proxied(proxy.bound[0]!.port)
  assert.equal(through, direct)
  assert.equal(failures, 3, 'one session: silenced after the third')
})

async function proxied(port: number): Promise<string> {
  const client = await connectClient({ port })
  await client.readReply()
  await ask(client, 'EHLO app')
  await ask(client, AUTH_PLAIN)
  const codes = await send(client)
  client.destroy()
  return codes
}
