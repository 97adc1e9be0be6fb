/** The demo runs, stops and prints correct counts, and it parses scrape pages correctly. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { describe, test } from 'node:test'
import { startReceiver } from '../support/otlp/otlp-receiver.ts'
import { parseMetrics, quantile, sum, sumBy } from './metrics.ts'

const PAGE = parseMetrics(`# HELP replies_total Replies.
# TYPE replies_total counter
replies_total{code="250",command="MAIL"} 3
replies_total{code="250",command="RCPT"} 4 1700000000000
replies_total{code="421",command="RCPT",text="a \\"quoted\\", {odd} one"} 1
replies_total{code="553",command="RCPT"} 0
up 1
seconds_bucket{le="0.1"} 50
seconds_bucket{le="0.2"} 90
seconds_bucket{le="+Inf"} 100
seconds_count 100
`)

describe('A scrape page', () => {
  test('has sums by labels', () => {
    assert.equal(sum(PAGE, 'replies_total'), 8)
    assert.equal(sum(PAGE, 'replies_total', { command: 'RCPT', code: '250' }), 4)
    assert.equal(sum(PAGE, 'up'), 1)
    assert.equal(sum(PAGE, 'down'), 0)
    assert.deepEqual(
      [...sumBy(PAGE, 'replies_total', 'code')],
      [
        ['250', 7],
        ['421', 1],
      ],
    )
  })

  for (const [q, expected] of [
    [0.25, 0.05],
    [0.5, 0.1],
    [0.7, 0.15],
    [0.99, 0.2],
  ] as const) {
    test(`has the ${q} quantile ${expected}`, () => {
      assert.ok(Math.abs((quantile(PAGE, 'seconds', q) ?? Number.NaN) - expected) < 1e-9)
    })
  }

  test('has no quantile without observations', () => {
    assert.equal(quantile(PAGE, 'replies', 0.5), undefined)
  })
})

describe('The demo', () => {
  const demo = (flags: readonly string[] = [], env: Readonly<Record<string, string>> = {}) =>
    spawn(process.execPath, [join(import.meta.dirname, 'main.ts'), ...flags], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
    })

  test('prints its progress for some seconds, and then a summary with matching counts', async () => {
    const child = demo(['--seconds', '4'])
    const [output, errors] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')])
    assert.equal(child.exitCode, 0, errors)
    assert.match(output, /http:\/\/127\.0\.0\.1:\d+\/metrics/)
    assert.match(output, /\n +\d+ s +\d+ messages\/s +\d+ sessions +[\d.]+ % accepted/)
    const [, accepted, received] =
      /AhaSend accepted +([\d,]+), and the apps received ([\d,]+) acceptances/.exec(output) ?? []
    assert.ok(accepted && accepted !== '0')
    assert.equal(received, accepted)
    assert.match(output, new RegExp(`messages +[\\d,]+ \\(accepted × ${accepted}[,)]`))
  })

  test('prints the log with --log, and exports traces to the configured endpoint', async () => {
    await using receiver = await startReceiver()
    const child = demo(['--seconds', '2', '--log'], { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url })
    const [log] = await Promise.all([text(child.stderr), text(child.stdout), once(child, 'exit')])
    assert.equal(child.exitCode, 0, log)
    const messages = log
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).msg)
    assert.ok(messages.includes('transaction') && messages.at(-1) === 'stop', messages.join(', '))
    assert.ok(receiver.exports.some(({ path, body }) => path === '/v1/traces' && body.includes('smtp.transaction')))
  })

  test('stops with a summary on a signal', async () => {
    const child = demo()
    const chunks: string[] = []
    for await (const chunk of child.stdout.setEncoding('utf8')) {
      chunks.push(chunk)
      if (/[1-9]\d*\.\d % accepted/.test(chunk)) child.kill('SIGINT')
    }
    assert.match(chunks.join(''), /Reply codes by command/)
    if (child.exitCode === null) await once(child, 'exit')
    assert.equal(child.exitCode, 0)
  })

  test('stops cleanly when the reader of its output ends, as in `npm run demo | head`', async () => {
    const child = demo()
    const errors = text(child.stderr)
    for await (const chunk of child.stdout.setEncoding('utf8')) if (/[1-9]\d*\.\d % accepted/.test(chunk)) break
    await once(child, 'exit')
    assert.deepEqual([child.exitCode, await errors], [0, ''])
  })
})
