/** What the control page says that apps see is what an app receives through the proxy. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { AUTH_PLAIN, ask, mail } from '../simulator/client.ts'
import { ALL_WELL, REHEARSALS, rehearse, type ShownReply } from '../simulator/rehearsals.ts'
import { type Simulator, startSimulator } from '../simulator/simulator.ts'
import type { ProxyProcess } from '../support/processes/proxy-process.ts'
import { startBefore } from '../support/processes/running-proxy.ts'
import { connectClient } from '../support/sockets/scripted-peers.ts'
import { until } from '../support/waiting/until.ts'

/** At a probability of one half, so many messages without a fault have a chance of one in a million. */
const MOST_MESSAGES = 20

/** The commands of a session with one message, and what each line is. */
const COMMANDS = [
  ['EHLO', 'EHLO app.example'],
  ['AUTH', AUTH_PLAIN],
  ...mail().map((line, index) => [['MAIL', 'RCPT', 'DATA', 'END-OF-MESSAGE'][index]!, line] as const),
] as const

describe('what apps see', { timeout: 120_000 }, () => {
  let simulator: Simulator
  let proxy: ProxyProcess

  before(async () => {
    simulator = await startSimulator({ seed: 1, ledger: 'summary' })
    // nothing is preconnected, so that a fault affects the next connection
    proxy = await startBefore(simulator, { PROXY_WARM_CONNECTIONS: '0' })
  })
  after(async () => {
    await proxy.stop()
    await simulator.close()
  })

  /** The first refusal of a session with one message; undefined if the message is accepted. */
  async function firstRefusal(): Promise<ShownReply | undefined> {
    const client = await connectClient({ port: proxy.port })
    try {
      const greeting = Number((await client.readReply()).slice(0, 3))
      if (greeting >= 400) return { command: 'CONNECT', code: greeting }
      for (const [command, line] of COMMANDS) {
        const code = Number((await ask(client, line)).slice(0, 3))
        if (code >= 400) return { command: command as ShownReply['command'], code }
      }
      return undefined
    } finally {
      client.destroy()
    }
  }

  async function refusal(): Promise<ShownReply | undefined> {
    for (let sent = 0; sent < MOST_MESSAGES; sent += 1) {
      const found = await firstRefusal()
      if (found !== undefined) return found
    }
    return undefined
  }

  for (const { id, label, reply } of REHEARSALS) {
    if (reply === undefined || reply.command === 'UNSOLICITED') continue
    test(`“${label}”: ${reply.code} to ${reply.command}`, async () => {
      rehearse(id, simulator.faults)
      // of load shedding, apps also see refused messages
      const found = id === 'load-shedding' ? await greetingRefusal() : await refusal()
      assert.deepEqual(found, reply)
      rehearse(ALL_WELL, simulator.faults)
      assert.equal(await firstRefusal(), undefined)
    })
  }

  async function greetingRefusal(): Promise<ShownReply | undefined> {
    for (let sent = 0; sent < MOST_MESSAGES; sent += 1) {
      const found = await firstRefusal()
      if (found?.command === 'CONNECT') return found
    }
    return undefined
  }

  test('“421 idle disconnects”: 421 to an idle connection', async () => {
    rehearse('idle-disconnects', simulator.faults)
    const client = await connectClient({ port: proxy.port })
    assert.match(await client.readReply(), /^220 /)
    assert.match(await client.readReply(), /^421 /)
    client.destroy()
  })

  test('“Close after the dot”: the connection closes without a final reply', async () => {
    rehearse('close-after-the-dot', simulator.faults)
    const before = simulator.ledger.summary().inDoubt
    let closed = false
    for (let sent = 0; sent < 60 && !closed; sent += 1)
      closed = await firstRefusal().then(
        () => false,
        () => true,
      )
    assert.ok(closed)
    // the simulator counts it when both sides have closed
    await until('a message is in doubt', () => simulator.ledger.summary().inDoubt === before + 1)
  })
})
