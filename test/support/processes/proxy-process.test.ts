/** How tests start the proxy as a process, tried with small programs in place of the proxy. */

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { temporaryDirectory } from '../files/temporary-files.ts'
import { listenOnLoopback } from '../sockets/listen.ts'
import { startProxy } from './proxy-process.ts'

const directory = temporaryDirectory('proxy-process-')
after(() => directory.remove())

/** Writes a program and returns its path. */
async function program(source: string): Promise<string> {
  const path = join(directory.path, `${crypto.randomUUID()}.mjs`)
  await writeFile(path, source)
  return path
}

/** Resolves when the process has exited. It is no child of this process, so it can only be polled. */
async function gone(pid: number): Promise<void> {
  for (let tries = 0; tries < 500; tries += 1) {
    try {
      process.kill(pid, 0)
    } catch {
      return
    }
    await setTimeout(10)
  }
  process.kill(pid, 'SIGKILL')
  assert.fail(`process ${pid} did not end within 5 s`)
}

/** Logs that it listens where the environment says, and waits for a signal. */
const LISTENING = `
  const log = (line) => console.log(JSON.stringify(line))
  log({ msg: 'starting', variables: Object.keys(process.env) })
  log({ msg: 'listening', listener: 'admin', port: Number(process.env.FAKE_ADMIN_PORT ?? 9) })
  process.env.PROXY_LISTEN.split(',').forEach((listener, n) =>
    log({ msg: 'listening', listener: listener.trim(), address: '127.0.0.1', port: 1001 + n }))
  const timer = setInterval(() => {}, 1000)
`

describe('startProxy', () => {
  test('returns the ports of all listeners, in the order of PROXY_LISTEN', async () => {
    const main = await program(LISTENING)
    await using proxy = await startProxy({ PROXY_LISTEN: 'smtps://[::1]:0, smtp://127.0.0.1:0' }, { main })
    assert.equal(proxy.port, 1001)
    assert.deepEqual(proxy.ports, [1001, 1002])
    assert.equal(proxy.adminPort, 9)
  })

  test('distinguishes two listeners with the same URL', async () => {
    const main = await program(LISTENING)
    await using proxy = await startProxy({ PROXY_LISTEN: 'smtp://127.0.0.1:0,smtp://127.0.0.1:0' }, { main })
    assert.deepEqual(proxy.ports, [1001, 1002])
  })

  test('does not wait for an admin server that is off', async () => {
    const main = await program(LISTENING.replace("listener: 'admin'", "listener: 'none'"))
    await using proxy = await startProxy({ PROXY_ADMIN: 'off' }, { main })
    assert.equal(proxy.adminPort, 0)
  })

  test('passes no variable of this process to the proxy, except PATH', async () => {
    const main = await program(LISTENING)
    await using proxy = await startProxy({ PROXY_SLOW: '1s' }, { main })
    const { variables } = await proxy.line((line) => line.msg === 'starting')
    assert.deepEqual(new Set(variables as string[]), new Set(['PATH', 'PROXY_LISTEN', 'PROXY_ADMIN', 'PROXY_SLOW']))
  })

  test('rejects with the exit code and the standard error of a proxy that exits before it listens', async () => {
    const main = await program("console.error('PROXY_LISTEN: wants a URL'); process.exitCode = 2")
    await assert.rejects(startProxy({}, { main }), /ended with 2.*PROXY_LISTEN: wants a URL/s)
  })

  test('rejects when the proxy does not listen in time', async () => {
    const main = await program('setInterval(() => {}, 1000)')
    await assert.rejects(startProxy({}, { main, startLimitMs: 200 }), /within 200 ms/)
  })
})

describe('a started proxy', () => {
  test('has a log of parsed lines, with lines that are not JSON unchanged', async () => {
    const main = await program(`${LISTENING}; console.log('oops'); console.log('{"msg":"later"}')`)
    await using proxy = await startProxy({}, { main })
    await proxy.line((line) => line.msg === 'later')
    assert.deepEqual(proxy.lines.slice(-2), [{ unparsed: 'oops' }, { msg: 'later' }])
  })

  test('stops on SIGTERM with its own exit code, and can be stopped again', async () => {
    const main = await program(
      `process.once('SIGTERM', () => { clearInterval(timer); log({ msg: 'bye' }) })\n${LISTENING}`,
    )
    const proxy = await startProxy({}, { main })
    const bye = proxy.line((line) => line.msg === 'bye')
    assert.equal(await proxy.stop(), 0)
    assert.deepEqual(await bye, { msg: 'bye' })
    assert.equal(await proxy.stop(), 0)
    await assert.rejects(
      proxy.line((line) => line.msg === 'never'),
      /ended with 0/,
    )
  })

  test('is killed when it does not stop in time', async () => {
    const main = await program(`process.on('SIGTERM', () => {})\n${LISTENING}`)
    const proxy = await startProxy({}, { main, stopLimitMs: 200 })
    assert.equal(await proxy.stop(), null)
  })

  test('exits when the process that started it is killed', async () => {
    const main = await program(LISTENING)
    const starter = await program(`
      const { startProxy } = await import(${JSON.stringify(import.meta.resolve('./proxy-process.ts'))})
      console.log((await startProxy({}, { main: ${JSON.stringify(main)} })).pid)
      setInterval(() => {}, 1000)
    `)
    const parent = spawn(process.execPath, [starter], { stdio: ['ignore', 'pipe', 'inherit'] })
    const [pid] = await once(parent.stdout, 'data')
    parent.kill('SIGKILL')
    await once(parent, 'exit')
    await gone(Number(pid))
  })

  test('returns its metrics', async () => {
    const admin = createServer((request, response) => response.end(`# ${request.url}`))
    await using _ = { [Symbol.asyncDispose]: async () => void admin.close() }
    const port = await listenOnLoopback(admin)
    await using proxy = await startProxy({ FAKE_ADMIN_PORT: String(port) }, { main: await program(LISTENING) })
    assert.equal(await proxy.metrics(), '# /metrics')
  })
})
