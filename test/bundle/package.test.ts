/** Every command of the installed npm package, with mail through a simulated AhaSend. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import packageJson from '../../package.json' with { type: 'json' }
import { assets } from '../../status/page/assets.ts'
import { send } from '../simulator/client.ts'
import { pageFile } from '../simulator/control/files.ts'
import { type Simulator, startSimulator } from '../simulator/simulator.ts'
import type { SpawnedProxy } from '../support/processes/proxy-process.ts'
import { loggedIn } from '../support/processes/running-proxy.ts'
import { until } from '../support/waiting/until.ts'
import { type InstalledPackage, installPackage } from './installed-package.ts'

/** No other program can be in the way. */
const ANY_PORTS = { PROXY_LISTEN: 'smtp://127.0.0.1:0', PROXY_ADMIN: 'http://127.0.0.1:0' }

const LIMIT = { timeout: 60_000 }

describe('the npm package', LIMIT, () => {
  let installed: InstalledPackage
  let simulator: Simulator

  before(async () => {
    installed = await installPackage()
    simulator = await startSimulator()
  })
  after(async () => {
    installed?.[Symbol.dispose]()
    await simulator?.close()
  })

  function upstream(): Record<string, string> {
    return { PROXY_UPSTREAM: `smtp://localhost:${simulator.port}`, PROXY_UPSTREAM_CA_FILE: simulator.caFile }
  }

  /** Starts the proxy, and returns its port and the address of its admin server once both listen. */
  async function started(env: Readonly<Record<string, string>> = {}) {
    const proxy = installed.start([], { ...ANY_PORTS, ...upstream(), ...env })
    const { port } = await proxy.line(({ msg, listener }) => msg === 'listening' && listener !== 'admin')
    const admin = await proxy.line(({ msg, listener }) => msg === 'listening' && listener === 'admin')
    return { proxy, port: Number(port), url: `http://127.0.0.1:${admin.port}` }
  }

  async function sendMessage(port: number): Promise<void> {
    const [client] = await loggedIn({ port }, 1)
    assert.ok(client)
    assert.equal(await send(client), '250 250 354 250')
    client.destroy()
  }

  test('contains the programs, their source maps, the licenses and two pages, and needs no other package', () => {
    const names = ['proxy.cjs', 'proxy.cjs.map', 'rehearsal.cjs', 'rehearsal.cjs.map', 'THIRD-PARTY-LICENSES.txt']
    const files = [...names.map((name) => `dist/${name}`), 'CHANGELOG.md', 'LICENSE', 'README.md', 'package.json']
    assert.deepEqual(installed.files, files.map((name) => `package/${name}`).sort())
    assert.deepEqual(installed.packages, ['ahasend-smtp-proxy'])
  })

  test('version and help: name the installed command, and the two commands that only the package has', async () => {
    assert.equal((await installed.run(['version'])).stdout, `${packageJson.version}\n`)
    const { code, stdout, stderr } = await installed.run(['help'])
    assert.deepEqual([code, stderr], [0, ''])
    assert.match(stdout, /^Usage: ahasend-smtp-proxy \[COMMAND\]\n/)
    assert.match(stdout, /^ {2}demo .*\n {2}rehearsal /m)
    const lines = stdout.trimEnd().split('\n')
    assert.ok(lines.length <= 24 && lines.every((line) => line.length <= 100), stdout)
  })

  for (const workers of ['1', '2']) {
    test(`relays a message, serves its pages and drains, with ${workers} event loops`, async () => {
      const { accepted } = simulator.ledger.summary().messages
      const { proxy, port, url } = await started({ PROXY_WORKERS: workers })
      await sendMessage(port)
      assert.equal(simulator.ledger.summary().messages.accepted, accepted + 1)
      await until('the message is counted', async () => {
        const metrics = await (await fetch(`${url}/metrics`)).text()
        return /^smtp_proxy_transactions_total\{[^}]*smtp_transaction_outcome="accepted"[^}]*\} 1$/m.test(metrics)
      })
      for (const [path, { type, body }] of assets) {
        const response = await fetch(`${url}${path}`)
        assert.equal(response.headers.get('content-type'), type)
        assert.equal(await response.text(), body, path)
      }
      process.kill(proxy.pid, 'SIGUSR1')
      assert.equal((await fetch(`${url}/livez`)).status, 200)
      assert.equal(await proxy.stop(), 0)
      // no warning, no stack trace, no debugger
      assert.deepEqual([proxy.lines.at(-1)?.msg, proxy.stderr], ['stop', ''])
    })
  }

  test('a signal that arrives during the start ends it with exit code 0', async () => {
    const proxy = installed.start([], { ...ANY_PORTS, ...upstream() })
    await proxy.line(({ msg }) => msg === 'start')
    assert.equal(await proxy.stop(), 0)
  })

  test('check reaches the upstream', async () => {
    const { code, stdout, stderr } = await installed.run(['check'], { ...ANY_PORTS, PROXY_ADMIN: 'off', ...upstream() })
    assert.deepEqual([code, stderr], [0, ''])
    assert.match(stdout, /upstream localhost:\d+: ok in/)
  })

  test('a mistake in a setting is reported, exit code 2', async () => {
    const { code, stderr } = await installed.run([], { PROXY_UPSTREAM: 'nonsense' })
    assert.equal(code, 2)
    assert.match(stderr, /^PROXY_UPSTREAM: /)
  })

  test('tail shows a message of the running proxy', async () => {
    const { proxy, port, url } = await started()
    const tail = installed.start(['tail', '--json'], { PROXY_ADMIN: url })
    await until('tail is connected', () => tail.stderr.includes('Connected to '))
    await sendMessage(port)
    await tail.line((line) => JSON.stringify(line).includes('"accepted"'))
    assert.equal(await tail.stop('SIGINT'), 0)
    assert.equal(await proxy.stop(), 0)
  })

  test('probe logs in through the running proxy', async () => {
    const { proxy, port } = await started({ PROXY_LISTEN: 'smtp://127.0.0.1:0?client=probe' })
    const probe = installed.start(['probe'], {
      PROBE_TARGET: `smtp://127.0.0.1:${port}`,
      PROBE_METRICS: 'http://127.0.0.1:0',
    })
    const listening = await probe.line(({ msg }) => msg === 'listening')
    await until('the first run ends', async () => {
      const response = await fetch(`http://127.0.0.1:${listening.port}/metrics`)
      return (await response.text()).includes('smtp_proxy_probe_success 1')
    })
    assert.deepEqual([await probe.stop(), await proxy.stop()], [0, 0])
  })

  test('demo relays simulated mail', async () => {
    const { code, stdout, stderr } = await installed.run(['demo', '--seconds', '3'])
    assert.deepEqual([code, stderr], [0, ''])
    assert.match(stdout, /^AhaSend accepted +[1-9]\d*, and the apps received/m)
  })

  test('rehearsal serves its control page and its files, and Ctrl-C ends it', async () => {
    const rehearsal = installed.start(['rehearsal'])
    const page = await addressOf(rehearsal)
    for (const name of ['status.css', 'control.css', 'control.js'])
      assert.equal(await (await fetch(new URL(name, page))).text(), pageFile(name)?.body, name)
    assert.equal(await rehearsal.stop('SIGINT'), 0)
    assert.equal(rehearsal.stderr, '')
  })

  test('names itself in the usage of the rehearsal', async () => {
    const { code, stderr } = await installed.run(['rehearsal', '--sekonds', '3'])
    assert.equal(code, 2)
    assert.match(stderr, /\nUsage: ahasend-smtp-proxy rehearsal \[--seconds N\] \[--port N\] \[--log\]\n$/)
  })
})

/** The address of the control page, once everything runs. */
async function addressOf(rehearsal: SpawnedProxy): Promise<string> {
  await rehearsal.line(({ unparsed }) => /Press Ctrl-C to stop/.test(String(unparsed)))
  const text = rehearsal.lines.map(({ unparsed }) => unparsed).join('\n')
  return /control page +(\S+)/.exec(text)?.[1] ?? ''
}
