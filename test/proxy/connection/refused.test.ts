/** Refused connections: what they may use. Apps that are served do not notice them. */
import assert from 'node:assert/strict'
import { after, before, describe, type TestContext, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { limitsFor, MAX_REFUSED, type RefusedLimits } from '../../../proxy/connection/refused.ts'
import type { RefusedCut } from '../../../proxy/events/closed-sets.ts'
import * as localReplies from '../../../proxy/session/local-replies.ts'
import { ask, mail, send } from '../../simulator/client.ts'
import { type Simulator, startSimulator } from '../../simulator/simulator.ts'
import { ClientRig } from '../../support/in-process/client-rig.ts'
import { prlimitMissing } from '../../support/processes/file-descriptors.ts'
import { type ProxyProcess, startProxy } from '../../support/processes/proxy-process.ts'
import { unless } from '../../support/programs/programs.ts'
import { connectClient, type Peer } from '../../support/sockets/scripted-peers.ts'
import { seriesOf } from '../../support/telemetry/scrape.ts'

const NOT_ALLOWED = localReplies.NOT_ALLOWED.bytes.toString('latin1')
const DAY_MS = 86_400_000

/** A proxy that refuses every client. A test does not reach its limits, except those that are given. */
async function refusing(context: TestContext, limits: Partial<RefusedLimits>, env: Record<string, string> = {}) {
  const refused = { connections: 256, linger: { ms: DAY_MS, bytes: 2 ** 40 }, ...limits }
  const rig = await ClientRig.open({
    listener: 'plain',
    env: { PROXY_ALLOW: '192.0.2.0/24', ...env },
    limits: { refused },
  })
  context.after(() => rig.close())
  return rig
}

/** A client that has read its refusal and stays connected. */
async function refusedClient(rig: ClientRig, refusal = NOT_ALLOWED): Promise<Peer> {
  const client = await rig.client()
  assert.equal(await client.readReply(), refusal)
  assert.equal(await client.closed(), 'fin')
  return client
}

/** Waits until `count` refused connections are open. */
async function remain(rig: ClientRig, count: number): Promise<void> {
  const deadline = performance.now() + 10_000
  while (rig.server.refused.size !== count) {
    assert.ok(performance.now() < deadline, `${rig.server.refused.size} are open, and not ${count}`)
    await pause(1)
  }
}

function cuts(rig: ClientRig): readonly [RefusedCut, number][] {
  return (Object.entries(rig.server.refusedCuts()) as [RefusedCut, number][]).filter(([, count]) => count > 0)
}

describe('A refused connection', () => {
  test('is closed if it is open too long', async (context) => {
    const rig = await refusing(context, { linger: { ms: 100, bytes: 1000 } })
    const began = performance.now()
    const client = await refusedClient(rig)
    await remain(rig, 0)
    assert.ok(performance.now() - began > 80, 'not before')
    assert.deepEqual(cuts(rig), [['time', 1]])
    client.destroy()
  })

  test('is closed if its client sends too much, and not before', async (context) => {
    const rig = await refusing(context, { linger: { ms: DAY_MS, bytes: 100_000 } })
    const client = await refusedClient(rig)
    await client.send(Buffer.alloc(90_000, 'x\r\n'))
    assert.equal(rig.server.refused.size, 1)
    await client.send(Buffer.alloc(20_000, 'x\r\n'))
    await remain(rig, 0)
    assert.deepEqual(cuts(rig), [['bytes', 1]])
    client.destroy()
  })

  test('is not counted as cut if its client closes it', async (context) => {
    const rig = await refusing(context, {})
    const client = await refusedClient(rig)
    await client.end()
    await remain(rig, 0)
    assert.deepEqual(cuts(rig), [])
  })

  test('is closed if too many are open, the oldest first; its client can still read the refusal', async (context) => {
    const rig = await refusing(context, { connections: 2 })
    const oldest = await rig.client()
    await remain(rig, 1)
    const others = [await refusedClient(rig), await refusedClient(rig)]
    await remain(rig, 2)
    assert.deepEqual(cuts(rig), [['limit', 1]])
    assert.equal(await oldest.readReply(), NOT_ALLOWED)
    for (const client of others) await client.end()
    await remain(rig, 0)
    oldest.destroy()
  })

  test('is no session: no cap counts it, also if AhaSend could not be reached', async (context) => {
    const rig = await refusing(
      context,
      {},
      { PROXY_ALLOW: '127.0.0.1', PROXY_UPSTREAM: 'smtp://127.0.0.1:1', PROXY_MAX_SESSIONS: '1' },
    )
    const unreachable = localReplies.UNREACHABLE.bytes.toString('latin1')
    const clients = [await refusedClient(rig, unreachable), await refusedClient(rig, unreachable)]
    assert.equal(rig.server.activeSessions, 0)
    assert.equal(rig.server.refused.size, 2)
    for (const client of clients) client.destroy()
  })

  test('delays no drain, and is no session that was cut', async (context) => {
    const rig = await refusing(context, {})
    const silent = await refusedClient(rig)
    const began = performance.now()
    assert.equal(await rig.server.drain(), 0)
    assert.ok(performance.now() - began < 15_000, 'long before the 30 s of PROXY_DRAIN_TIMEOUT')
    assert.equal(rig.server.refused.size, 0)
    silent.destroy()
  })
})

/** Sends a message on a connection of its own and returns the codes that answer it. */
async function oneMessage(port: number): Promise<string> {
  const client = await connectClient({ port, limitMs: 20_000 })
  assert.match(await client.readReply(), /^220 /)
  await ask(client, 'EHLO app.example')
  const codes = await send(client, mail())
  client.destroy()
  return codes
}

for (const listener of ['plain', 'smtps'] as const) {
  test(`a client that waits for a greeting reads the refusal of a drain (${listener})`, async (context) => {
    const rig = await ClientRig.open({ listener })
    context.after(() => rig.close())
    const client = await rig.client()
    await rig.upstream.accept()
    if (listener === 'smtps') await client.secureAsClient(rig.clientTls)
    // a TLS 1.3 client ends its handshake before the proxy does
    while (listener === 'smtps' && rig.recorder.sessions[0]?.all('tls').length !== 1) await pause(1)
    assert.equal(await rig.server.drain(), 0)
    assert.equal(await client.readReply(), localReplies.DRAINING.bytes.toString('latin1'))
    assert.equal(await client.closed(), 'fin')
    client.destroy()
  })
}

test('event loops share the number of connections that may be open', () => {
  for (let loops = 1; loops <= 64; loops += 1) {
    const { connections } = limitsFor(loops)
    assert.ok(connections >= 4 && connections * loops <= MAX_REFUSED, `${loops}: ${connections}`)
  }
  assert.equal(limitsFor(1).connections, MAX_REFUSED)
})

describe('With the number of descriptors that PROXY_MAX_SESSIONS needs', unless(prlimitMissing()), () => {
  /** 2 x 20 sessions, one worker, and what dials, refused connections and the rest need. */
  const OPEN_FILES = 688
  const LEAKING_APP = '127.0.0.2'
  let simulator: Simulator
  let proxy: ProxyProcess

  before(async () => {
    simulator = await startSimulator({ requireAuth: false })
    const env = {
      PROXY_UPSTREAM: `smtp://localhost:${simulator.port}`,
      PROXY_UPSTREAM_CA_FILE: simulator.caFile,
      PROXY_WARM_CONNECTIONS: '0',
      PROXY_MAX_SESSIONS: '20',
      PROXY_MAX_SESSIONS_PER_CLIENT: '10',
    }
    proxy = await startProxy(env, { within: ['prlimit', `--nofile=${OPEN_FILES}:${OPEN_FILES}`] })
  })
  after(async () => {
    await proxy?.stop('SIGKILL')
    await simulator?.close()
  })

  test('an app that leaks more connections than that does not make messages of another app fail', async () => {
    const { port } = proxy
    assert.ok(!proxy.lines.some(({ level }) => level === 'warn'))
    const leaked: Peer[] = []
    while (leaked.length < 2 * OPEN_FILES) {
      const some = Array.from({ length: 50 }, () => connectClient({ port, localAddress: LEAKING_APP }))
      leaked.push(...(await Promise.all(some)))
      assert.equal(await oneMessage(port), '250 250 354 250')
    }
    const page = await proxy.metrics()
    assert.ok(seriesOf(page, 'smtp_proxy_refused_cut_total').some(([, count]) => count > 0))
    for (const client of leaked) client.destroy()
  })
})
