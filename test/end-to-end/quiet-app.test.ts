/** An app that sends one message a minute, each on a new connection, through a proxy that preconnects. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MeterProvider } from '@opentelemetry/sdk-metrics'
import nodemailer from 'nodemailer'
import { createMetrics } from '../../otel/metrics/metrics.ts'
import { createPrometheus } from '../../otel/metrics/prometheus.ts'
import { combine } from '../../proxy/events/observer.ts'
import { startServer } from '../../proxy/server/server.ts'
import { RENEW_MS } from '../../proxy/upstream/preconnect.ts'
import { DEFAULT_ACCOUNT, startSimulator } from '../simulator/simulator.ts'
import { Clock } from '../support/in-process/clock.ts'
import { configOf } from '../support/in-process/config.ts'
import { Recorder } from '../support/in-process/recorder.ts'

const MINUTES = 5

test('one message per minute uses a preconnected connection each time', async () => {
  await using simulator = await startSimulator({ keepBodies: true })
  const prometheus = createPrometheus()
  const metrics = createMetrics(new MeterProvider({ readers: [prometheus.reader] }), {
    servers: ['localhost'],
    listeners: [],
    clients: [],
  })
  const recorder = new Recorder()
  const server = await startServer({
    config: configOf({
      PROXY_LISTEN: 'smtp://127.0.0.1:0',
      PROXY_UPSTREAM: `smtp://localhost:${simulator.port}`,
      PROXY_UPSTREAM_CA_FILE: simulator.caFile,
    }),
    telemetry: combine(metrics, recorder),
    limits: { tickMs: 10 },
  })
  using clock = new Clock()
  const send = async (subject: string) => {
    const app = nodemailer.createTransport({ host: '127.0.0.1', port: server.bound[0]!.port, auth: DEFAULT_ACCOUNT })
    const { response } = await app.sendMail({ from: 'a@example.com', to: 'b@example.net', subject, text: 'Hello.' })
    app.close()
    assert.match(response, /^250 /)
  }
  await send('0')
  for (let minute = 1; minute <= MINUTES; minute += 1) {
    // the age of a connection counts in steps: a test that jumps a whole minute would skip the renewals
    for (let step = 0; step < 6; step += 1) {
      await recorder.ready(RENEW_MS)
      clock.passes(10_000)
    }
    await recorder.ready(RENEW_MS)
    await send(String(minute))
    await recorder.closed(minute + 1)
  }
  await server.close()
  const [first, ...others] = recorder.sessions
  assert.deepEqual([first!.all('dial').length, first!.all('handover').length], [1, 0])
  for (const session of others) {
    assert.deepEqual(session.all('dial'), [], 'it did not wait for a dial')
    assert.equal(session.one('handover').preconnected, true)
    assert.equal(session.one('tx-commit').outcome, 'accepted')
  }
  assert.deepEqual(
    simulator.ledger.messages.map((message) => /Subject: (\d)/.exec(String(message.bytes))?.[1]),
    Array.from({ length: MINUTES + 1 }, (_, minute) => String(minute)),
  )
  const page = await prometheus.page()
  assert.match(page, new RegExp(`^smtp_proxy_upstream_preconnections_total\\{.*_end="used".*\\} ${MINUTES}$`, 'm'))
  assert.match(page, /^smtp_proxy_upstream_preconnections_total\{.*_end="lost".*\} 0$/m)
})
