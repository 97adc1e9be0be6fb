/** The rehearsal: the control page with its buttons, and mail that is sent only to the simulated AhaSend. */

import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { pipeline } from 'node:stream'
import { text } from 'node:stream/consumers'
import { after, before, beforeEach, describe, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { wholeSession } from '../simulator/client.ts'
import { REHEARSALS } from '../simulator/rehearsals.ts'
import { type Simulator, startSimulator } from '../simulator/simulator.ts'
import { temporaryDirectory } from '../support/files/temporary-files.ts'
import type { ProxyProcess } from '../support/processes/proxy-process.ts'
import { startBefore } from '../support/processes/running-proxy.ts'
import { listenOnLoopback } from '../support/sockets/listen.ts'
import { greetingOf } from './traffic.ts'

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

describe('the control page', () => {
  test('is HTML for browsers, and text for other clients', async () => {
    assert.match(await shown(), /^<!doctype html>/)
    assert.match(await (await page()).text(), /^AhaSend rehearsal\./)
  })

  test('names the request of each button to other clients', async () => {
    const lines = (await (await page()).text()).split('\n')
    for (const { id, label } of REHEARSALS)
      assert.ok(
        lines.some((line) => line.startsWith(`POST /rehearsals/${id} `) && line.endsWith(`  ${label}`)),
        id,
      )
  })

  test('has a button for each rehearsal, and loads only its own files', async () => {
    const html = await shown()
    for (const { id, label } of REHEARSALS)
      assert.match(
        html,
        new RegExp(`<form method="post" action="/rehearsals/${id}"><button [^>]*>${label}</button></form>`),
      )
    const loaded = [...html.matchAll(/<(?:script|link|img)[^>]*(?:src|href)="([^"]*)"/g)].map(([, file = '']) => file)
    assert.deepEqual(loaded, ['status.css', 'control.css', 'control.js'])
    for (const file of loaded) assert.equal((await page(`/${file}`)).status, 200, file)
    assert.doesNotMatch(html, /<script(?! src)|<style|style=|url\(| on[a-z]+=/)
  })

  test('forbids everything but its own files and forms', async () => {
    const { headers } = await page('/', { headers: { accept: 'text/html' } })
    const policy = headers.get('content-security-policy') ?? ''
    for (const part of ["default-src 'none'", "script-src 'self'", "style-src 'self'", "form-action 'self'"])
      assert.ok(policy.split('; ').includes(part), part)
    assert.doesNotMatch(policy, /unsafe|\*|https?:/)
  })

  test('shows the active faults, their probability and how often they applied', async () => {
    assert.match(await shown(), /AhaSend accepts every message\. No fault is set\./)
    simulator.faults.set('553-at-rcpt', { probability: 0.5 })
    assert.match(
      await shown(),
      /<code [^>]*>553-at-rcpt<\/code>, probability 50%, applied 0 times\. The simulator replies/,
    )
  })

  test('shows the number of accepted messages', async () => {
    const before = simulator.ledger.summary().messages.accepted
    assert.equal(await wholeSession(simulator), '250 250 354 250')
    assert.match(await shown(), new RegExp(`<dt>Messages accepted</dt><dd><b>${before + 1}</b>`))
  })

  test('a button sets its faults and clears all others', async () => {
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

  test('the button for a single 521 causes one 521', async () => {
    await press('one-521')
    assert.equal(await wholeSession(simulator), '521')
    assert.equal(await wholeSession(simulator), '250 250 354 250')
  })

  test('every button sets its faults', async () => {
    for (const { id, faults } of REHEARSALS) {
      await press(id)
      assert.deepEqual(
        simulator.faults.list().map(({ name }) => name),
        Object.keys(faults),
        id,
      )
    }
  })

  test('replies to any other button with 404', async () => {
    assert.equal((await page('/rehearsals/nonsense', { method: 'POST' })).status, 404)
    assert.equal((await page('/rehearsals/one-521')).status, 404)
  })
})

describe('mail for a rehearsal', () => {
  const directory = temporaryDirectory('traffic-')
  let proxy: ProxyProcess
  before(async () => {
    proxy = await startBefore(simulator)
  })
  after(async () => {
    await proxy.stop()
    directory.remove()
  })

  const senders = new Set<ChildProcess>()
  // the senders of failed tests
  after(() => {
    for (const sender of senders) sender.kill('SIGKILL')
  })

  function traffic(port: number, ...seconds: readonly string[]) {
    const sender = spawn(process.execPath, ['test/rehearsal/traffic.ts', '127.0.0.1', String(port), ...seconds], {
      env: { PATH: process.env.PATH, TMPDIR: directory.path },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    senders.add(sender)
    return sender
  }

  test('is accepted, through the proxy, until SIGTERM', async () => {
    const before = simulator.ledger.summary().messages.accepted
    const sender = traffic(proxy.port)
    const output = text(sender.stdout)
    while (simulator.ledger.summary().messages.accepted < before + 5) await pause(50)
    assert.ok(existsSync(join(directory.path, 'sending')))
    sender.kill('SIGTERM')
    assert.deepEqual(await once(sender, 'exit'), [0, null])
    const { accepted, failed } = JSON.parse(await output) as { accepted: number; failed: object }
    assert.deepEqual([accepted, failed], [simulator.ledger.summary().messages.accepted - before, {}])
  })

  /** A port that leads to the rehearsal, and later to another server, which records what it receives. */
  async function startSwitch() {
    const received: string[] = []
    const sockets = new Set<Socket>()
    let greeting: string | undefined
    let visits = 0
    const server = createServer((socket) => {
      sockets.add(socket.on('error', () => {}).on('close', () => sockets.delete(socket)))
      if (greeting === undefined) {
        const upstream = connect(proxy.port, '127.0.0.1')
        return pipeline(socket, upstream, socket, () => upstream.destroy())
      }
      visits += 1
      socket.setEncoding('utf8').on('data', (chunk) => received.push(String(chunk)))
      return socket.write(greeting)
    })
    const number = await listenOnLoopback(server)
    return {
      number,
      received,
      visits: () => visits,
      /** Closes all connections and switches to a server with this greeting; `undefined` is the rehearsal again. */
      becomes(next?: string) {
        greeting = next
        visits = 0
        for (const socket of sockets) socket.destroy()
      },
      [Symbol.dispose]() {
        this.becomes()
        server.close()
      },
    }
  }

  test('is sent only to the rehearsal', async () => {
    using port = await startSwitch()
    port.becomes('220 send.ahasend.com ESMTP\r\n')
    const sender = traffic(port.number)
    const [stderr, [code]] = await Promise.all([text(sender.stderr), once(sender, 'exit')])
    assert.equal(code, 1)
    assert.match(stderr, /does not lead to the simulated AhaSend: sent nothing/)
    assert.deepEqual(port.received, [])
  })

  test('stops if another server greets later', { timeout: 30_000 }, async () => {
    using port = await startSwitch()
    const before = simulator.ledger.summary().messages.received
    const sender = traffic(port.number, '0.2')
    while (simulator.ledger.summary().messages.received < before + 2) await pause(20)
    port.becomes('220 send.ahasend.com ESMTP\r\n')
    const [stderr, [code]] = await Promise.all([text(sender.stderr), once(sender, 'exit')])
    assert.equal(code, 1)
    const sentence = new RegExp(
      `^127\\.0\\.0\\.1:${port.number} does not lead to the simulated AhaSend: stopped sending\\. .+\n$`,
    )
    assert.match(stderr, sentence)
    assert.match(stderr, /220 send\.ahasend\.com ESMTP/)
  })

  for (const refusal of ['421 4.3.2 proxy.example too busy', '521 5.3.2 no mail today'])
    test(`continues after a time of ${refusal.slice(0, 3)} from any server`, { timeout: 30_000 }, async () => {
      using port = await startSwitch()
      const accepted = () => simulator.ledger.summary().messages.accepted
      const before = accepted()
      const sender = traffic(port.number, '0.2')
      while (accepted() < before + 2) await pause(20)
      port.becomes(`${refusal}\r\n`)
      // messages and checks: about twenty connections per second
      while (port.visits() < 15) await pause(20)
      port.becomes()
      const then = accepted()
      while (accepted() < then + 2) await pause(20)
      sender.kill('SIGTERM')
      assert.deepEqual(await once(sender, 'exit'), [0, null])
    })

  test('recognizes a greeting that arrives in pieces', { timeout: 30_000 }, async () => {
    simulator.faults.set('slices-3')
    const greeting = await greetingOf({ host: '127.0.0.1', port: simulator.port })
    assert.match(greeting, /^220 rehearsal\.ahasend\.example ESMTP AhaSend rehearsal$/)
  })

  test('sends QUIT after it has checked the greeting', { timeout: 30_000 }, async () => {
    const quits = () => {
      const { replies } = simulator.ledger.summary()
      return replies.find(({ command, tls }) => command === 'QUIT' && !tls)?.count ?? 0
    }
    const before = quits()
    assert.match(await greetingOf({ host: '127.0.0.1', port: simulator.port }), /^220 rehearsal\.ahasend\.example/)
    while (quits() === before) await pause(20)
  })
})
