/** Signals that arrive while the proxy starts: before its code is loaded, and before its listeners are open. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import { describe, type TestContext, test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { type SpawnedProxy, spawnProxy, startProxy } from '../support/processes/proxy-process.ts'
import { type InThreads, inThreads } from '../support/processes/worker-threads.ts'

/** How long a process may take to start and exit. Only a process that hangs reaches it. */
const LIMIT_MS = 20_000
const ENV = { PROXY_UPSTREAM: 'smtp://127.0.0.1:1' }

/** The proxy sends itself `signal` when it begins to load its module number `index`. Number 1 is entry.js. */
function signalledAt(signal: NodeJS.Signals, index: number): SpawnedProxy {
  const hook = `
    import { registerHooks } from 'node:module'
    let loaded = 0
    registerHooks({ load(url, context, next) {
      if (url.includes('/app/entry.js') || loaded > 0) loaded += 1
      if (loaded === ${index}) process.kill(process.pid, '${signal}')
      return next(url, context)
    } })`
  return spawnProxy(ENV, { nodeOptions: ['--import', `data:text/javascript,${encodeURIComponent(hook)}`] })
}

/** The exit code, or null if a signal ended the process. Fails if it takes too long. */
async function endOf(proxy: SpawnedProxy): Promise<number | null> {
  const timer = new AbortController()
  const late = setTimeout(LIMIT_MS, 'late' as const, { signal: timer.signal })
  const end = await Promise.race([proxy.exited, late])
  timer.abort()
  if (end !== 'late') return end
  await proxy.stop('SIGKILL')
  assert.fail(`did not end within ${LIMIT_MS} ms; its log: ${JSON.stringify(proxy.lines)}`)
}

describe('a signal while the code is loaded (LIF-13)', () => {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    for (const module of [2, 3, 100, 300, 420]) {
      test(`${signal} at module ${module} ends the proxy with exit code 0 before it listens`, async () => {
        const proxy = signalledAt(signal, module)
        assert.equal(await endOf(proxy), 0)
        assert.deepEqual([proxy.lines, proxy.stderr], [[], ''])
      })
    }
  }

  test('SIGHUP is ignored, and the proxy listens', async () => {
    const proxy = signalledAt('SIGHUP', 2)
    await proxy.line(({ msg, listener }) => msg === 'listening' && listener !== 'admin')
    assert.equal(await proxy.stop(), 0)
  })

  test('a check is ended by the signal itself, like any other program', async () => {
    // it never sends a greeting, so that the check waits
    const silent = net.createServer().listen(0, '127.0.0.1')
    await once(silent, 'listening')
    const { port } = silent.address() as net.AddressInfo
    const proxy = spawnProxy({ PROXY_UPSTREAM: `smtp://127.0.0.1:${port}` }, { args: ['check'] })
    await proxy.line(({ unparsed }) => String(unparsed).includes('configuration: all settings'))
    assert.equal(await proxy.stop(), null)
    silent.close()
  })
})

describe('a SIGTERM at any time of the start (LIF-13)', () => {
  const STEPS = 10
  // SIGHUP is the last handler that entry.js installs: after this line, SIGTERM has a handler
  const witness = `
    import { writeSync } from 'node:fs'
    process.on('newListener', (event) => { if (event === 'SIGHUP') writeSync(2, 'handled') })`
  const options = { nodeOptions: ['--import', `data:text/javascript,${encodeURIComponent(witness)}`] }

  test('ends it with exit code 0, or by the signal itself before a handler is installed', async (t) => {
    const usual = await startTime()
    for (let step = 0; step <= STEPS; step += 1) {
      const proxy = spawnProxy(ENV, options)
      const afterMs = (usual * step) / STEPS
      if (step > 0) await setTimeout(afterMs)
      process.kill(proxy.pid, 'SIGTERM')
      const code = await endOf(proxy)
      t.diagnostic(`after ${Math.round(afterMs)} of ${Math.round(usual)} ms: ${code ?? 'SIGTERM'} ${proxy.stderr}`)
      assert.ok(code === 0 || (code === null && proxy.stderr === ''), `step ${step}: ${code} ${proxy.stderr}`)
      assert.match(proxy.stderr, /^(handled)*$/)
    }
  })

  async function startTime(): Promise<number> {
    const began = performance.now()
    await using _ = await startProxy(ENV, options)
    return performance.now() - began
  }
})

describe('a SIGTERM while the listeners are opened (LIF-13)', () => {
  /** A proxy that received the signal, and whose threads do not listen before `threads.trigger()`. */
  async function signalled(
    context: TestContext,
  ): Promise<{ readonly proxy: SpawnedProxy; readonly threads: InThreads }> {
    const threads = inThreads('while (!triggered()) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20)')
    const proxy = spawnProxy({ ...ENV, PROXY_WORKERS: '3' }, threads.options)
    context.after(async () => {
      await proxy.stop('SIGKILL')
      threads.remove()
    })
    await proxy.line(({ msg }) => msg === 'start')
    process.kill(proxy.pid, 'SIGTERM')
    await proxy.line(({ msg }) => msg === 'drain')
    return { proxy, threads }
  }

  test('waits until they are open, and drains them', async (context) => {
    const { proxy, threads } = await signalled(context)
    threads.trigger()
    assert.equal(await endOf(proxy), 0)
    assert.deepEqual([proxy.lines.at(-1)?.msg, proxy.stderr], ['stop', ''])
  })

  test('a second signal ends it immediately, with exit code 1', async (context) => {
    const { proxy } = await signalled(context)
    process.kill(proxy.pid, 'SIGINT')
    assert.equal(await endOf(proxy), 1)
    assert.ok(proxy.lines.some(({ msg }) => msg === 'stopped immediately'))
    assert.ok(!proxy.lines.some(({ msg }) => msg === 'listening'))
  })
})
