/** `npm run rehearsal` runs, prints what to do, and stops with a summary whose counts match. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { describe, test } from 'node:test'
import { listenOnLoopback } from '../support/sockets/listen.ts'
import { monitoringMissing } from './monitoring.ts'

const LIMIT = { timeout: 120_000 }

function rehearsal(...flags: readonly string[]) {
  return spawn(process.execPath, [join(import.meta.dirname, 'main.ts'), ...flags], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env.PATH },
  })
}

/** Reads the output until it contains this, and returns all of it so far. */
async function outputUntil(child: ReturnType<typeof rehearsal>, pattern: RegExp): Promise<string> {
  let output = ''
  for await (const chunk of child.stdout.setEncoding('utf8').iterator({ destroyOnReturn: false })) {
    output += chunk
    if (pattern.test(output)) return output
  }
  throw new Error(`exited before it printed ${pattern}: ${output}`)
}

describe('npm run rehearsal', LIMIT, () => {
  test('prints the addresses and what to do first, and Ctrl-C ends it with a summary', async () => {
    const child = rehearsal()
    const errors = text(child.stderr)
    const start = await outputUntil(child, /Press Ctrl-C to stop/)
    const [, page] = /control page +(\S+)/.exec(start) ?? []
    const [, status] = /status page +(\S+)/.exec(start) ?? []
    assert.ok(page && status, start)
    assert.match(start, /press “521 account disabled”/)
    assert.match(
      start,
      monitoringMissing() === undefined ? /alerts +Prometheus http/ : /alerts +none: .*npm run programs/,
    )
    assert.match(await (await fetch(page, { headers: { accept: 'text/html' } })).text(), new RegExp(`href="${status}"`))
    const { status: pressed } = await fetch(new URL('rehearsals/account-disabled', page), { method: 'POST' })
    assert.equal(pressed, 200)
    await waitForRefusals(page)
    child.kill('SIGINT')
    const [rest] = await Promise.all([text(child.stdout), once(child, 'exit')])
    assert.equal(child.exitCode, 0, await errors)
    assert.match(rest, /521 × [1-9]/)
    assert.match(rest, /UTC {2}“521 account disabled” started\.\n.*First refusal: 521 to MAIL FROM\./)
    const [, accepted, received] =
      /accepted ([\d,]+), and the simulated apps received ([\d,]+) acceptances/.exec(rest) ?? []
    assert.ok(accepted && accepted === received, rest)
  })

  test('stops cleanly if the reader of its output has ended, as in `npm run rehearsal | tee` after Ctrl-C', async () => {
    const child = rehearsal()
    const errors = text(child.stderr)
    await outputUntil(child, /Press Ctrl-C to stop/)
    child.stdout.destroy()
    child.kill('SIGINT')
    await once(child, 'exit')
    assert.deepEqual([child.exitCode, await errors], [0, ''])
  })

  test('runs for --seconds, uses another port if 8025 is taken, and prints its progress', async () => {
    const other = createServer().on('error', () => {})
    other.listen(8025, '127.0.0.1')
    const child = rehearsal('--seconds', '12')
    const [output, errors] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')])
    other.close()
    assert.equal(child.exitCode, 0, errors)
    assert.doesNotMatch(output, /127\.0\.0\.1:8025/)
    assert.match(output, /Runs for 12 seconds\./)
    assert.match(output, /\n\d+ s · normal · [1-9]\d* accepted · 0 refused\n/)
    assert.match(output, /No incident was started\./)
  })

  test('exits with an error if the wanted port is taken', async () => {
    const other = createServer()
    const port = await listenOnLoopback(other)
    const child = rehearsal('--port', String(port))
    const [errors] = await Promise.all([text(child.stderr), text(child.stdout), once(child, 'exit')])
    other.close()
    assert.equal(child.exitCode, 1)
    assert.match(errors, /EADDRINUSE/)
  })

  for (const flags of [['--seconds', '0'], ['--port', 'x'], ['--nonsense']])
    test(`exits with 2 and its usage: ${flags.join(' ')}`, async () => {
      const child = rehearsal(...flags)
      const [errors] = await Promise.all([text(child.stderr), text(child.stdout), once(child, 'exit')])
      assert.equal(child.exitCode, 2)
      assert.match(errors, /Usage: npm run rehearsal/)
    })

  async function waitForRefusals(page: string): Promise<void> {
    for (;;) {
      const { parts } = (await (await fetch(new URL('live', page))).json()) as { parts: Record<string, string> }
      if (/First refusal/.test(parts.timeline ?? '')) return
      await new Promise((resolve) => setTimeout(resolve, 200))
    }
  }
})
