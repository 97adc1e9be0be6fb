/** The product's image: how it runs when confined as far as an engine can, and how it stops. */

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { after, before, describe, test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import type { StartedTestContainer } from 'testcontainers'
import { AUTH_PLAIN, ask, mail } from '../simulator/client.ts'
import { docker, dockerOutput, engineMissing, IMAGES, imageMissing } from '../support/containers/engine.ts'
import {
  buildProduct,
  buildRehearsal,
  inspect,
  type RehearsalContainer,
  startProduct,
  startRehearsal,
} from '../support/containers/images.ts'
import { unless } from '../support/programs/programs.ts'
import { connectClient, type Peer } from '../support/sockets/scripted-peers.ts'
import { until } from '../support/waiting/until.ts'

const IMAGE = 'ahasend-smtp-proxy:test'
const REHEARSAL = 'ahasend-smtp-proxy-rehearsal:test'
const RUNNABLE = unless(engineMissing(), imageMissing(IMAGES.NODE_IMAGE))

interface ContainerDescription {
  readonly State: { readonly Status: string; readonly ExitCode: number; readonly Health: { readonly Status: string } }
}

describe('a container of the image', RUNNABLE, () => {
  before(() => buildProduct(IMAGE))

  for (const ms of [0, 150]) {
    test(`when stopped ${ms} ms after it handles signals, exits with 0, long before the engine kills it`, async () => {
      const id = dockerOutput(['run', '--detach', '--network=none', '--read-only', '--cap-drop=ALL', IMAGE]).trim()
      try {
        const logs = () => `the process handles signals: ${JSON.stringify(docker(['logs', id]))}`
        await until(logs, () => handlesSignals(id), { limitMs: 60_000, everyMs: 10 })
        await setTimeout(ms)
        const began = performance.now()
        dockerOutput(['stop', '--time=20', id])
        assert.ok(performance.now() - began < 10_000, 'it exits, the engine does not kill it')
        assert.equal(inspect<ContainerDescription>(id).State.ExitCode, 0)
      } finally {
        docker(['rm', '--force', id])
      }
    })
  }
})

describe('the image, run without root, capabilities and a writable disk (CON-01)', RUNNABLE, () => {
  let rehearsal: RehearsalContainer
  let proxy: StartedTestContainer

  before(async () => {
    await buildProduct(IMAGE)
    await buildRehearsal(REHEARSAL)
    rehearsal = await startRehearsal(REHEARSAL)
    proxy = await startProduct(IMAGE, rehearsal)
  })
  after(async () => {
    await proxy?.stop()
    await rehearsal?.stop()
  })

  test('becomes healthy', () => {
    assert.equal(inspect<ContainerDescription>(proxy.getId()).State.Health.Status, 'healthy')
  })

  test('has started without a warning in its log', async () => {
    assert.deepEqual(warnings(proxy.getId()), [])
  })

  test('starts without a warning in its log where 20,000 files may be open', async () => {
    const limited = await startProduct(IMAGE, rehearsal, { openFiles: 20_000 })
    try {
      assert.deepEqual(warnings(limited.getId()), [])
    } finally {
      await limited.stop()
    }
  })

  test('is user 1000 without any capability, on a root file system that cannot be written', async () => {
    const status = await node(proxy, 'fs.readFileSync("/proc/1/status", "utf8")')
    assert.match(status, /^Uid:\t1000\t1000\t1000\t1000$/m)
    assert.match(status, /^CapEff:\t0+$/m)
    assert.match(status, /^NoNewPrivs:\t1$/m)
    const write = 'try { fs.writeFileSync("/app/x", "") } catch ({ code }) { code }'
    assert.equal(await node(proxy, write), 'EROFS')
  })

  test('is process 1, so that it gets the signals (CON-02)', async () => {
    const command = await node(proxy, 'fs.readFileSync("/proc/1/cmdline", "utf8").split("\\0").join(" ")')
    assert.equal(command.trim(), '/usr/local/bin/node --disable-sigusr1 app/entry.js')
  })

  test('opens no debugger on SIGUSR1 (CON-04)', async () => {
    dockerOutput(['kill', '--signal=USR1', proxy.getId()])
    assert.equal(
      await node(proxy, 'fetch("http://127.0.0.1:9464/livez").then(({ status }) => console.log(status)), ""'),
      '200',
    )
    assert.doesNotMatch(dockerOutput(['logs', proxy.getId()]), /Debugger listening/)
  })

  test('carries mail', async () => {
    const before = await rehearsal.ledger()
    const client = await loggedIn(proxy)
    for (const line of mail().slice(0, -1)) assert.match(await ask(client, line), /^(250|354) /)
    assert.match(await ask(client, 'Subject: in a container\r\n\r\nText.\r\n.'), /^250 /)
    await ask(client, 'QUIT')
    await client.end()
    assert.equal((await rehearsal.ledger()).messages.accepted, before.messages.accepted + 1)
  })

  test('when stopped with a message in flight, lets it finish, has it accepted once, and exits with 0 within the grace', async () => {
    const before = await rehearsal.ledger()
    const [sending, idle] = [await loggedIn(proxy), await loggedIn(proxy)]
    for (const line of mail().slice(0, -1)) assert.match(await ask(sending, line), /^(250|354) /)
    await sending.send('Subject: in flight\r\n\r\nhalf of it\r\n')
    const logged = logLine(proxy, '"drain"')
    const stopped = once(spawn('docker', ['stop', '--time=45', proxy.getId()], { stdio: 'ignore' }), 'exit')
    await logged
    assert.match(await idle.readReply(), /^421 /)
    assert.match(await ask(sending, 'the other half\r\n.'), /^250 /)
    await Promise.all([sending.end(), idle.end()])
    const [code] = await stopped
    assert.equal(code, 0)
    const { State } = inspect<ContainerDescription>(proxy.getId())
    assert.deepEqual([State.Status, State.ExitCode], ['exited', 0])
    const { messages } = await rehearsal.ledger()
    assert.deepEqual(
      [messages.received, messages.accepted],
      [before.messages.received + 1, before.messages.accepted + 1],
    )
  })
})

/** Bits of the mask of signals that a process has a handler for: 1 is SIGHUP. */
const SIGHUP = 1n

/**
 * True once app/entry.js runs: process 1 gets only the signals that it has handlers for, and there are none until Node has
 * started. It handles SIGHUP last. SIGTERM has a handler of Node before, which does not end process 1.
 */
function handlesSignals(id: string): boolean {
  const { stdout } = docker(['exec', id, '/usr/local/bin/node', '--print', 'fs.readFileSync("/proc/1/status", "utf8")'])
  const [, caught = '0'] = /^SigCgt:\t([0-9a-f]+)$/m.exec(stdout) ?? []
  return (BigInt(`0x${caught}`) & SIGHUP) !== 0n
}

/** The lines of its log above the level info. Fails if it has not logged that it listens. */
function warnings(id: string): string[] {
  const { stdout, stderr } = docker(['logs', id])
  const lines = `${stdout}${stderr}`.trim().split('\n')
  assert.match(stdout, /"msg":"listening"/)
  return lines.filter((line) => !line.startsWith('{"level":"info",'))
}

/** The result of an expression in the container's Node, as text. */
async function node(container: StartedTestContainer, expression: string): Promise<string> {
  const { output, exitCode } = await container.exec(['/usr/local/bin/node', '--print', expression])
  assert.equal(exitCode, 0, output)
  return output.trimEnd()
}

/** A client that may send mail through the container. */
async function loggedIn(container: StartedTestContainer): Promise<Peer> {
  const client = await connectClient({ port: container.getMappedPort(2525), limitMs: 20_000 })
  await client.readReply()
  await ask(client, 'EHLO app.example')
  assert.match(await ask(client, AUTH_PLAIN), /^235 /)
  return client
}

/** Resolves when the container's log has a line with this text. */
async function logLine(container: StartedTestContainer, text: string): Promise<void> {
  const stream = await container.logs()
  for await (const chunk of stream) if (String(chunk).includes(text)) return stream.destroy() && undefined
}
