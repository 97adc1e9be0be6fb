/** OpenTelemetry's variables of a proxy process: its exit code, its log, and what its receiver gets. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { after, before, describe, test } from 'node:test'
import { OTEL_ROWS } from '../../../otel/settings/table.ts'
import { AUTH_PLAIN, ask, mail } from '../../simulator/client.ts'
import { type Simulator, startSimulator } from '../../simulator/simulator.ts'
import { startReceiver } from '../../support/otlp/otlp-receiver.ts'
import { textsAt } from '../../support/otlp/protobuf.ts'
import type { ProxyProcess } from '../../support/processes/proxy-process.ts'
import { assertSilent, startBefore } from '../../support/processes/running-proxy.ts'
import { connectClient } from '../../support/sockets/scripted-peers.ts'

const LIMIT = { timeout: 60_000 }
const SPAN_NAMES = [1, 2, 2, 5] as const
const LOG_TEXTS = [1, 2, 2, 5, 1] as const
const METRIC_NAMES = [1, 2, 2, 1] as const

let simulator: Simulator
before(async () => {
  simulator = await startSimulator()
})
after(() => simulator.close())

async function run(args: readonly string[], env: Readonly<Record<string, string>>) {
  const child = spawn(process.execPath, ['app/main.ts', ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] })
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')])
  return { code: child.exitCode, stdout, stderr }
}

async function sendMail(proxy: ProxyProcess): Promise<void> {
  const client = await connectClient({ port: proxy.port })
  await client.readReply()
  for (const line of ['EHLO app.example', AUTH_PLAIN, ...mail({ from: 'a@example.com' }), 'QUIT'])
    await ask(client, line)
  await client.closed()
  client.destroy()
}

describe('Invalid settings', LIMIT, () => {
  const env = {
    PROXY_SLOW: 'soon',
    OTEL_TRACES_SAMPLER: 'sometimes',
    OTEL_LOGS_EXPORTER: 'otlp',
    OTEL_EXPORTER_OTLP_HEADERS: 'hunter2',
  }
  for (const args of [[], ['check']]) {
    test(`${['main.ts', ...args].join(' ')}: all are reported, those of the proxy and those of OpenTelemetry, with exit code 2`, async () => {
      const { code, stdout, stderr } = await run(args, env)
      assert.deepEqual([code, stdout], [2, ''])
      assert.deepEqual(
        stderr
          .trimEnd()
          .split('\n')
          .map((line) => line.split(':', 1)[0])
          .sort(),
        // check also names the page of the settings
        [...Object.keys(env), ...(args.length === 0 ? [] : ['See'])].sort(),
      )
      assert.doesNotMatch(stderr, /hunter2/)
    })
  }
})

test('check warns about variables without effect', LIMIT, async () => {
  const upstream = { PROXY_UPSTREAM: `smtp://localhost:${simulator.port}`, PROXY_UPSTREAM_CA_FILE: simulator.caFile }
  const { code, stdout } = await run(['check'], { ...upstream, OTEL_LOG_LEVEL: 'debug' })
  assert.equal(code, 0)
  assert.match(stdout, /^ *warning: OTEL_LOG_LEVEL: not supported by this proxy and ignored\./m)
})

test('--help all lists every variable', LIMIT, async () => {
  const { stdout } = await run(['--help', 'all'], {})
  for (const { variable } of OTEL_ROWS) assert.match(stdout, new RegExp(`^${variable}\n {4}\\S`, 'm'))
})

describe('A proxy that exports', LIMIT, () => {
  test('spans, metrics and log lines of a message arrive; the start line has the settings without secrets', async () => {
    await using receiver = await startReceiver()
    await using proxy = await startBefore(simulator, {
      OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
      OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Bearer%20hunter2',
      OTEL_METRICS_EXPORTER: 'prometheus,otlp',
      OTEL_LOGS_EXPORTER: 'otlp',
      OTEL_TRACES_SAMPLER: 'always_on',
      OTEL_NO_SUCH: 'x',
    })
    await sendMail(proxy)
    assert.equal(await proxy.stop(), 0)
    assertSilent(proxy)

    const exported = (path: string, fields: readonly number[]) =>
      receiver.exports.filter((one) => one.path === path).flatMap(({ body }) => textsAt(body, ...fields))
    const spans = exported('/v1/traces', SPAN_NAMES)
    for (const name of ['smtp.transaction', 'smtp.session', 'MAIL', 'END-OF-MESSAGE'])
      assert.ok(spans.includes(name), name)
    assert.ok(exported('/v1/metrics', METRIC_NAMES).includes('smtp.proxy.transactions'))
    assert.deepEqual(
      exported('/v1/logs', LOG_TEXTS),
      proxy.lines.map(({ msg }) => msg),
    )
    const start = await proxy.line(({ msg }) => msg === 'start')
    const config = start.config as Record<string, unknown>
    assert.equal(config.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT, `${receiver.url}/v1/traces`)
    assert.equal(config.OTEL_EXPORTER_OTLP_TRACES_HEADERS, 'authorization')
    assert.deepEqual(start.ignored, ['OTEL_NO_SUCH'])
    assert.ok(!JSON.stringify(proxy.lines).includes('hunter2'))
    assert.ok(receiver.exports.every(({ headers, body }) => headers.authorization && !body.includes('hunter2')))
  })

  test('to a receiver that never responds relays mail, stops, and logs what is lost', async () => {
    await using receiver = await startReceiver({ answer: 'hang' })
    await using proxy = await startBefore(simulator, {
      OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
      OTEL_LOGS_EXPORTER: 'otlp',
      OTEL_TRACES_SAMPLER: 'always_on',
    })
    await sendMail(proxy)
    assert.equal(await proxy.stop(), 0)
    const lost = proxy.lines.filter(({ msg }) => msg === 'telemetry lost')
    assert.deepEqual(lost.map((line) => line['telemetry.signal']).sort(), ['logs', 'traces'])
    for (const line of lost) assert.ok(Number(line.lost) > 0)
  })

  test('to a receiver that never responds stops immediately at a second signal', async () => {
    await using receiver = await startReceiver({ answer: 'hang' })
    await using proxy = await startBefore(simulator, {
      OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
      OTEL_TRACES_SAMPLER: 'always_on',
    })
    await sendMail(proxy)
    const exited = proxy.stop()
    await proxy.line(({ msg }) => msg === 'stop')
    process.kill(proxy.pid, 'SIGINT')
    assert.equal(await exited, 0, 'the drain was over')
    assert.ok(!proxy.lines.some(({ msg }) => msg === 'telemetry lost'), 'it waited until spans counted as lost')
  })
})
