/** The rehearsal: the page of faults and its buttons, and mail that goes to the rehearsal only. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { after, before, beforeEach, describe, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { wholeSession } from './simulator/client.ts'
import { REHEARSALS } from './simulator/rehearsals.ts'
import { type Simulator, startSimulator } from './simulator/simulator.ts'
import { startBefore } from './support/running-proxy.ts'

let simulator: Simulator
before(async () => {
  simulator = await startSimulator({ ledger: 'summary' })
})
after(() => simulator.close())
beforeEach(() => void simulator.faults.clear())

function page(path = '/', init: RequestInit = {}): Promise<Response> {
  return fetch(`http://127.0.0.1:${simulator.httpPort}${path}`, { redirect: 'manual', ...init })
}

async function shown(): Promise<string> {
  const response = await page('/', { headers: { accept: 'text/html,application/xhtml+xml' } })
  assert.equal(response.headers.get('content-type'), 'text/html; charset=utf-8')
  return await response.text()
}

async function press(id: string): Promise<void> {
  const response = await page(`/rehearsals/${id}`, { method: 'POST' })
  assert.deepEqual([response.status, response.headers.get('location')], [303, '/'])
}

describe('the page of faults', () => {
  test('is a page for browsers, and text for everybody else', async () => {
    assert.match(await shown(), /^<!doctype html>/)
    assert.match(await (await page()).text(), /^AhaSend rehearsal\./)
  })

  test('has a button for each rehearsal and needs nothing from anywhere', async () => {
    const html = await shown()
    for (const { id, label } of REHEARSALS)
      assert.ok(html.includes(`<form method="post" action="/rehearsals/${id}"><button>${label}</button></form>`), id)
    assert.doesNotMatch(html, /<script|<link|src=|url\(|https?:/)
  })

  test('says what is in force, how likely it is and how often it struck', async () => {
    assert.match(await shown(), /Nothing: all is well\./)
    simulator.faults.set('553-at-rcpt', { probability: 0.5 })
    assert.match(await shown(), /<code>553-at-rcpt<\/code> .* Chance: 50 %\. Struck 0 times\./)
  })

  test('says what was received', async () => {
    const before = simulator.ledger.summary().messages.accepted
    assert.equal(await wholeSession(simulator), '250 250 354 250')
    assert.match(await shown(), new RegExp(`of which ${before + 1} accepted`))
  })

  test('a button begins its faults and ends all others', async () => {
    await press('account-disabled')
    assert.equal(await wholeSession(simulator), '521')
    await press('message-format')
    assert.deepEqual(
      simulator.faults.list().map(({ name }) => name),
      ['552-at-end-of-message'],
    )
    await press('all-well')
    assert.equal(await wholeSession(simulator), '250 250 354 250')
  })

  test('a single 521 is one', async () => {
    await press('one-521')
    assert.equal(await wholeSession(simulator), '521')
    assert.equal(await wholeSession(simulator), '250 250 354 250')
  })

  test('every button can be pressed', async () => {
    for (const { id, faults } of REHEARSALS) {
      await press(id)
      assert.deepEqual(
        simulator.faults.list().map(({ name }) => name),
        Object.keys(faults),
        id,
      )
    }
  })

  test('there are no other buttons', async () => {
    assert.equal((await page('/rehearsals/nonsense', { method: 'POST' })).status, 404)
    assert.equal((await page('/rehearsals/one-521')).status, 404)
  })
})

describe('mail for a rehearsal', () => {
  const directory = mkdtempSync(join(tmpdir(), 'traffic-'))
  after(() => rmSync(directory, { recursive: true }))

  const traffic = (port: number) =>
    spawn(process.execPath, ['test/rehearsal/traffic.ts', '127.0.0.1', String(port)], {
      env: { PATH: process.env.PATH, TMPDIR: directory },
      stdio: ['ignore', 'pipe', 'pipe'],
    })

  test('is accepted, through the proxy, until it is told to stop', async () => {
    await using proxy = await startBefore(simulator)
    const before = simulator.ledger.summary().messages.accepted
    const sender = traffic(proxy.port)
    const told = text(sender.stdout)
    while (simulator.ledger.summary().messages.accepted < before + 5) await pause(50)
    assert.ok(existsSync(join(directory, 'sending')))
    sender.kill('SIGTERM')
    assert.deepEqual(await once(sender, 'exit'), [0, null])
    const { accepted, failed } = JSON.parse(await told) as { accepted: number; failed: object }
    assert.deepEqual([accepted, failed], [simulator.ledger.summary().messages.accepted - before, {}])
  })

  test('is sent to nobody but the rehearsal', async () => {
    const heard: Buffer[] = []
    const stranger = createServer((socket) => {
      socket.on('data', (chunk) => heard.push(chunk)).on('error', () => {})
      socket.write('220 send.ahasend.com ESMTP\r\n')
    }).listen(0, '127.0.0.1')
    await once(stranger, 'listening')
    const sender = traffic((stranger.address() as AddressInfo).port)
    const [said, [code]] = await Promise.all([text(sender.stderr), once(sender, 'exit')])
    stranger.close()
    assert.equal(code, 1)
    assert.match(said, /does not lead to the rehearsal: nothing is sent/)
    assert.deepEqual(heard, [])
  })
})
