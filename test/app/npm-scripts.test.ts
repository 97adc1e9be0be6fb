/** The scripts of package.json, run by npm: signals reach the program, and the documented pipes work. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { after, before, describe, type TestContext, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { ask } from '../simulator/client.ts'
import { type Simulator, startSimulator } from '../simulator/simulator.ts'
import { readDocument } from '../support/docs/documents.ts'
import { writeTemporaryFiles } from '../support/files/temporary-files.ts'
import { observe } from '../support/processes/proxy-process.ts'
import { inBody, loggedIn } from '../support/processes/running-proxy.ts'
import { needsJq } from '../support/programs/jq.ts'
import { connectClient } from '../support/sockets/scripted-peers.ts'

const ROOT = join(import.meta.dirname, '../..')
const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  readonly scripts: Readonly<Record<string, string>>
}

/** npm starts in about a second, but takes much longer on a busy machine. */
const LIMIT_MS = 60_000

/** Starts a command in its own process group, as a terminal does. The group is killed after the test. */
function start(context: TestContext, command: readonly [string, ...string[]], env: NodeJS.ProcessEnv = {}) {
  const [file, ...args] = command
  const quiet = { npm_config_update_notifier: 'false', npm_config_logs_max: '0' }
  const child = spawn(file, args, {
    cwd: ROOT,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...quiet, ...env },
  })
  context.after(() => signalGroup(child, 'SIGKILL'))
  return child
}

/** Signals every process of the child's group. Returns false if none is left. */
function signalGroup({ pid }: ChildProcess, signal: NodeJS.Signals | 0): boolean {
  assert.ok(pid !== undefined)
  try {
    return process.kill(-pid, signal)
  } catch {
    return false
  }
}

function settingsFor(simulator: Simulator): Readonly<Record<string, string>> {
  return {
    PROXY_LISTEN: 'smtp://127.0.0.1:0',
    PROXY_ADMIN: 'off',
    PROXY_UPSTREAM: `smtp://localhost:${simulator.port}`,
    PROXY_UPSTREAM_CA_FILE: simulator.caFile,
  }
}

describe('npm start', () => {
  let simulator: Simulator
  before(async () => {
    simulator = await startSimulator()
  })
  after(() => simulator.close())

  const STOPS: readonly (readonly [title: string, stop: (npm: ChildProcess) => unknown])[] = [
    ['SIGTERM to npm', (npm) => npm.kill('SIGTERM')],
    ['SIGINT to the process group, as Ctrl-C sends it,', (npm) => signalGroup(npm, 'SIGINT')],
    ['SIGTERM to the process group, as systemd sends it,', (npm) => signalGroup(npm, 'SIGTERM')],
  ]
  for (const [title, stop] of STOPS) {
    test(`${title} drains the proxy: a message in flight is accepted, and no process is left`, async (context) => {
      const npm = start(context, ['npm', 'start'], settingsFor(simulator))
      const proxy = observe(npm, LIMIT_MS)
      const { port } = await proxy.line(({ msg }) => msg === 'listening', LIMIT_MS)
      const [client] = await loggedIn({ port: Number(port) }, 1)
      assert.ok(client)
      await inBody(client, 'in-flight')
      stop(npm)
      await proxy.line(({ msg }) => msg === 'drain')
      assert.match(await ask(client, '.'), /^250 /)
      await ask(client, 'QUIT')
      client.destroy()
      assert.equal(await proxy.exited, 0)
      assert.equal(proxy.lines.at(-1)?.msg, 'stop')
      await assert.rejects(connectClient({ port: Number(port) }), { code: 'ECONNREFUSED' })
      assert.equal(signalGroup(npm, 0), false, 'no process of the group is left')
    })
  }
})

describe('npm start, piped', () => {
  test('into the documented filter shows the messages that failed', needsJq, async (context) => {
    await using simulator = await startSimulator({ faults: { '521-at-mail': { times: 1 } } })
    const [, documented = ''] = /^(npm start \| jq .*)$/m.exec(readDocument('docs/telemetry.md')) ?? []
    const { directory, remove } = writeTemporaryFiles({})
    context.after(remove)
    // what the filter reads, to learn the port, and npm's process id, to stop it alone
    const command = documented.replace(
      'npm start |',
      () => `sh -c 'echo $$; exec npm start' | tee '${directory}/log' |`,
    )
    const shell = start(context, ['sh', '-c', command], settingsFor(simulator))
    const shown = text(shell.stdout)
    const errors = text(shell.stderr)
    const ended = once(shell, 'close')
    const log = await listeningIn(join(directory, 'log'))
    const [client] = await loggedIn({ port: log.port }, 1)
    assert.ok(client)
    assert.match(await ask(client, 'MAIL FROM:<a@example.com>'), /^521 /)
    client.destroy()
    process.kill(log.pid, 'SIGTERM')
    assert.deepEqual([await ended, await errors], [[0, null], ''])
    const lines = (await shown).trim().split('\n')
    assert.deepEqual(
      lines.map((line) => JSON.parse(line)['smtp.reply.code']),
      [521],
    )
  })

  test('with --silent prints JSON lines only', async (context) => {
    const npm = start(context, ['npm', 'start', '--silent'], { PROXY_LISTEN: 'smtp://127.0.0.1:0', PROXY_ADMIN: 'off' })
    const proxy = observe(npm, LIMIT_MS)
    await proxy.line(({ msg }) => msg === 'listening', LIMIT_MS)
    assert.equal(await proxy.stop(), 0)
    assert.deepEqual(
      proxy.lines.filter((line) => 'unparsed' in line),
      [],
    )
  })
})

/** npm's process id and the proxy's port, once the log has both. */
async function listeningIn(file: string): Promise<{ readonly pid: number; readonly port: number }> {
  const end = performance.now() + LIMIT_MS
  while (performance.now() < end) {
    const log = existsSync(file) ? readFileSync(file, 'utf8') : ''
    const [, port] = /"port":(\d+),"msg":"listening"/.exec(log) ?? []
    if (port !== undefined) return { pid: Number.parseInt(log, 10), port: Number(port) }
    await pause(50)
  }
  throw new Error(`no "listening" in ${file} within ${LIMIT_MS} ms`)
}

describe('npm run demo', () => {
  for (const [title, stop] of [
    ['SIGTERM to npm', (npm: ChildProcess) => npm.kill('SIGTERM')],
    ['SIGINT to the process group, as Ctrl-C sends it,', (npm: ChildProcess) => signalGroup(npm, 'SIGINT')],
  ] as const) {
    test(`${title} ends it with a summary, and no process is left`, async (context) => {
      const npm = start(context, ['npm', 'run', 'demo'])
      const errors = text(npm.stderr)
      const ended = once(npm, 'close')
      let output = ''
      let stopped = false
      for await (const chunk of npm.stdout.setEncoding('utf8')) {
        output += chunk
        if (stopped || !/[1-9]\d*\.\d % accepted/.test(output)) continue
        stop(npm)
        stopped = true
      }
      assert.deepEqual(await ended, [0, null], await errors)
      assert.match(output, /Reply codes by command/)
      assert.equal(signalGroup(npm, 0), false, 'no process of the group is left')
    })
  }
})

test('every script that ends in a program replaces its shell by it', () => {
  const last = Object.entries(scripts).map(([name, script]) => [name, script.split(' && ').at(-1) ?? ''] as const)
  const programs = last.filter(([, command]) => /\bnode\b/.test(command))
  assert.ok(programs.length > 10)
  assert.deepEqual(
    programs.filter(([, command]) => !command.startsWith('exec node ')),
    [],
  )
})
