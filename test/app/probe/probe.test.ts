/** The `probe` command as a process: its page, its log, its exit codes, and that it keeps its login to itself. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { after, before, beforeEach, describe, type TestContext, test } from 'node:test'
import { probeMetrics } from '../../../otel/names/names.ts'
import { type Simulator, startSimulator } from '../../simulator/simulator.ts'
import { Canaries } from '../../support/canaries/canaries.ts'
import { startProbe } from '../../support/processes/probe-process.ts'
import type { LogLine, ProxyProcess } from '../../support/processes/proxy-process.ts'
import { startBefore } from '../../support/processes/running-proxy.ts'
import { until } from '../../support/waiting/until.ts'

const ROOT = join(import.meta.dirname, '../../..')

/** Runs the command to its end. */
async function ended(args: readonly string[], env: Readonly<Record<string, string>>) {
  const child = spawn(process.execPath, ['app/entry.js', 'probe', ...args], { cwd: ROOT, env, stdio: 'pipe' })
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')])
  return { stdout, stderr, code: code as number }
}

describe('probe', () => {
  const canaries = new Canaries()
  const [user, password] = [canaries.at('the user name'), canaries.at('the password')]
  const [from, to] = [`${canaries.at('the sender')}@example.com`, `${canaries.at('the recipient')}@example.net`]
  let simulator: Simulator
  let proxy: ProxyProcess

  before(async () => {
    simulator = await startSimulator()
    proxy = await startBefore(simulator, {
      PROXY_LISTEN: 'smtp://127.0.0.1:0?client=probe',
      PROXY_WARM_CONNECTIONS: '0',
    })
  })
  beforeEach(() => simulator.faults.clear())
  after(async () => {
    await proxy?.stop('SIGKILL')
    await simulator?.close()
  })

  async function start(context: TestContext, env: Readonly<Record<string, string>> = {}) {
    const probe = await startProbe({ PROBE_TARGET: `smtp://127.0.0.1:${proxy.port}`, ...env })
    context.after(() => probe.stop('SIGKILL'))
    return probe
  }

  test('serves its metrics, and stops on SIGTERM with exit code 0', async (context) => {
    const probe = await start(context)
    const page = await until('the first run ends', async () => {
      const text = await probe.metrics()
      return text.includes('smtp_proxy_probe_success 1') && text
    })
    assert.match(page, /^smtp_proxy_probe_runs_total\{smtp_probe_step="quit"\} 1$/m)
    for (const step of ['connect', 'greeting', 'ehlo', 'quit'])
      assert.match(
        page,
        new RegExp(`^smtp_proxy_probe_step_duration_seconds_count\\{smtp_probe_step="${step}"\\} 1$`, 'm'),
      )
    assert.doesNotMatch(page, /smtp_probe_step="(auth|mail|rcpt|rset|starttls|tls)"/)
    const known = Object.values(probeMetrics).map(({ prometheus }) => prometheus)
    const names = [...page.matchAll(/^(smtp_\w+)/gm)].map(([, name = '']) => name.replace(/_(bucket|sum|count)$/, ''))
    assert.deepEqual(
      [...new Set(names)].filter((name) => !known.includes(name as (typeof known)[number])),
      [],
    )
    assert.match(page, /service_name="ahasend-smtp-proxy-probe"/)
    assert.equal(await probe.stop('SIGTERM'), 0)
  })

  test('a failed run: one line with the step and the code, and metrics; no credential, address or reply text', async (context) => {
    simulator.faults.set('535-at-auth', { text: `5.7.8 ${password} ${from} is wrong` })
    const env = { PROBE_USER: user, PROBE_PASSWORD: password, PROBE_FROM: from, PROBE_TO: to, PROBE_INTERVAL: '10s' }
    const probe = await start(context, { ...env, PROBE_TIMEOUT: '10s' })
    const isFailure = ({ msg }: LogLine) => msg === 'probe failed'
    const line = await probe.line(isFailure)
    const { time, duration_ms, advice, ...others } = line
    assert.ok(time && typeof duration_ms === 'number' && /password/.test(`${advice}`))
    assert.deepEqual(others, {
      level: 'warn',
      event: 'probe',
      'smtp.probe.step': 'auth',
      'error.type': '535',
      'smtp.reply.code': 535,
      'smtp.reply.enhanced_code': '5.7.8',
      'smtp.reply.cause': 'invalid_credentials',
      failures: 1,
      msg: 'probe failed',
    })
    const failed = await probe.metrics()
    assert.match(failed, /^smtp_proxy_probe_success 0$/m)
    assert.match(failed, /^smtp_proxy_probe_consecutive_failures\{smtp_probe_step="auth",error_type="535"\} 1$/m)
    assert.doesNotMatch(failed, /duration_seconds_count\{smtp_probe_step="(auth|mail|rcpt|rset|quit)"/)

    // the simulator has other credentials: AUTH fails at the next run, too, if the fault is gone
    simulator.faults.clear()
    await probe.line(({ msg, failures }) => msg === 'probe failed' && failures === 2)
    const page = await probe.metrics()
    assert.equal(probe.lines.filter(isFailure).length, 2)
    const log = JSON.stringify(probe.lines)
    assert.deepEqual(canaries.search({ log, page, stderr: probe.stderr }), {})
    assert.equal(await probe.stop('SIGINT'), 0)
  })

  test('reports the first success after failures', async (context) => {
    simulator.faults.set('421-at-greeting', { times: 1 })
    const probe = await start(context, { PROBE_INTERVAL: '10s', PROBE_TIMEOUT: '10s' })
    const line = await probe.line(({ msg }) => msg === 'probe succeeds again')
    assert.deepEqual([line.level, line.failures], ['info', 1])
    assert.match(await probe.metrics(), /^smtp_proxy_probe_consecutive_failures\{.*greeting.*\} 0$/m)
    assert.equal(await probe.stop('SIGTERM'), 0)
  })

  test('stops within a run', async (context) => {
    simulator.faults.set('silence-at-ehlo')
    const probe = await start(context)
    await until('the run has begun', () => simulator.ledger.commands.at(-1)?.command === 'EHLO')
    assert.equal(await probe.stop('SIGTERM'), 0)
    assert.equal(
      probe.lines.some(({ msg }) => msg === 'probe failed'),
      false,
    )
  })

  test('refuses wrong settings and arguments with exit code 2', async () => {
    const wrong = await ended([], { PROBE_TARGET: 'proxy', PROBE_PASWORD: password })
    assert.equal(wrong.code, 2)
    assert.match(wrong.stderr, /^PROBE_TARGET: got "proxy".*\nPROBE_PASWORD: there is no such setting/m)
    assert.doesNotMatch(wrong.stderr, new RegExp(password))
    const unknown = await ended(['--once'], {})
    assert.deepEqual([unknown.code, unknown.stdout], [2, ''])
    assert.match(unknown.stderr, /^probe: unknown arguments/)
  })

  test('--check-names checks only names', async () => {
    const env = { PROBE_TARGET: 'a wrong value', PROBE_COLOR: 'red', DATABASE_URL: 'x', PROBE_PASSWORD: '' }
    const right = await ended(['--check-names'], env)
    assert.deepEqual(right, { stdout: '', stderr: 'warning: PROBE_COLOR: unknown and ignored.\n', code: 0 })
    const wrong = await ended(['--check-names'], { PROBE_USR: 'x' })
    assert.equal(wrong.code, 2)
    assert.match(wrong.stderr, /^PROBE_USR: there is no such setting\. Did you mean PROBE_USER\?$/m)
  })

  test('names the setting if its page cannot be served', async () => {
    const taken = await ended([], { PROBE_METRICS: `http://127.0.0.1:${proxy.port}` })
    assert.equal(taken.code, 1)
    assert.match(taken.stderr, /^PROBE_METRICS: /)
  })
})
