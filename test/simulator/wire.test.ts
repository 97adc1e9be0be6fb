/** The simulator's faults below SMTP, its control page, and the simulator as a program. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { describe, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { connectClient } from '../support/sockets/scripted-peers.ts'
import { ask, greeted, loggedIn, mail, send, timed, wholeSession } from './client.ts'
import { FAULTS } from './faults/index.ts'
import { startSimulator } from './simulator.ts'

describe('on the wire', () => {
  test('latency', async () => {
    await using simulator = await startSimulator({ faults: { 'latency-20': {} } })
    const client = await greeted(simulator)
    assert.ok((await timed(() => ask(client, 'NOOP'))) >= 38)
    client.destroy()
    simulator.faults.clear()
    assert.equal(await wholeSession(simulator), '250 250 354 250')
  })

  test('bandwidth', async () => {
    await using simulator = await startSimulator({ requireTls: false, requireAuth: false })
    simulator.faults.set('bandwidth-20000')
    const client = await greeted(simulator)
    await ask(client, 'EHLO app.example')
    await send(client, mail().slice(0, 3))
    const took = await timed(() => ask(client, `${'x'.repeat(4000)}\r\n.`))
    assert.ok(took >= 180, `${took} ms for 4,000 bytes at 20,000 bytes per second`)
    client.destroy()
  })

  test('slices', async () => {
    await using simulator = await startSimulator({ faults: { 'slices-1': {} } })
    const client = await connectClient(simulator)
    let chunks = 0
    const note = client.log.append.bind(client.log)
    client.log.append = (chunk) => {
      chunks += 1
      note(chunk)
    }
    const greeting = await client.readReply()
    assert.ok(chunks > greeting.length / 2, `${chunks} chunks for ${greeting.length} bytes`)
    client.destroy()
    assert.equal(await wholeSession(simulator), '250 250 354 250')
  })

  for (const [name, ending] of [
    ['wire-reset-10', 'reset'],
    ['wire-cut-10', 'fin'],
  ] as const) {
    test(name, async () => {
      await using simulator = await startSimulator({ faults: { [name]: {} } })
      const client = await connectClient(simulator)
      assert.equal(await client.closed(), ending)
      assert.equal(client.log.unread.toString(), '220 rehear')
      client.destroy()
    })
  }

  test('wire-silence', async () => {
    await using simulator = await startSimulator({ idleMs: 50, faults: { 'wire-silence-10': { times: 1 } } })
    const client = await connectClient(simulator)
    await client.readBytes(10)
    const bystander = await greeted(simulator)
    assert.match(await bystander.readReply(), /idle too long/)
    assert.equal(client.log.unread.length, 0)
    assert.equal(client.ending, undefined)
    client.destroy()
    bystander.destroy()
  })

  test("a wire fault passes on the client's reset and the client's FIN", async () => {
    await using simulator = await startSimulator({ faults: { 'latency-0': {} } })
    const client = await loggedIn(simulator)
    await client.send('QUIT\r\n')
    await client.end()
    assert.match(await client.readReply(), /^221 /)
    assert.equal(await client.closed(), 'fin')
    const other = await greeted(simulator)
    await other.reset()
    client.destroy()
  })
})

describe('the control page', () => {
  test('lists, sets and clears faults, and shows the ledger', async () => {
    await using simulator = await startSimulator()
    const url = `http://127.0.0.1:${simulator.httpPort}`
    const page = await (await fetch(url)).text()
    for (const [form, { meaning }] of Object.entries(FAULTS))
      assert.ok(page.includes(form) && page.includes(meaning), form)
    const put = await fetch(`${url}/faults/553-at-rcpt`, { method: 'PUT', body: '{"times":1}' })
    assert.deepEqual(await put.json(), [{ name: '553-at-rcpt', options: { times: 1 }, applied: 0 }])
    assert.match(await (await fetch(url)).text(), /Active faults:\n553-at-rcpt \{"times":1\}/)
    assert.equal(await wholeSession(simulator), '250 553')
    assert.equal((await fetch(`${url}/faults/553-at-rcpt`, { method: 'DELETE' })).status, 404)
    await fetch(`${url}/faults/load-shedding`, { method: 'PUT' })
    assert.equal((await fetch(`${url}/faults/load-shedding`, { method: 'DELETE' })).status, 200)
    assert.equal((await fetch(`${url}/faults/nonsense`, { method: 'PUT' })).status, 400)
    assert.equal((await fetch(`${url}/faults/451-at-noop`, { method: 'PUT', body: '{' })).status, 400)
    assert.equal((await fetch(`${url}/elsewhere`)).status, 404)
    assert.deepEqual(await (await fetch(`${url}/ledger`)).json(), simulator.ledger.summary())
    const records = (await (await fetch(`${url}/ledger/records`)).json()) as { readonly replies: readonly unknown[] }
    assert.equal(records.replies.length, simulator.ledger.replies.length)
  })
})

describe('a client that disconnects early does not stop the simulator', () => {
  const FAULTS = [
    '',
    'latency-2',
    'bandwidth-500',
    'slices-1',
    'wire-reset-9',
    'wire-silence-9',
    'wire-cut-9',
    'slow-3-at-greeting',
    'cut-at-greeting',
    'cut-reset-at-greeting',
    'reset-at-greeting',
    '421-at-greeting',
    'slow-3-at-noop',
  ]
  for (const fault of FAULTS)
    test(fault || 'no fault', async () => {
      await using simulator = await startSimulator({ ...(fault && { faults: { [fault]: {} } }) })
      const leave = [
        (socket: Socket) => socket.destroy(),
        (socket: Socket) => socket.resetAndDestroy(),
        (socket: Socket) => socket.end(() => setTimeout(() => socket.resetAndDestroy(), 2)),
        (socket: Socket) => socket.end('NOOP\r\n', () => setTimeout(() => socket.destroy(), 2)),
      ]
      const visit = async (number: number) => {
        const socket = connect(simulator.port, '127.0.0.1').on('error', () => {})
        const closed = new Promise((resolve) => socket.once('close', resolve))
        // a reset can arrive before the connect event
        await once(socket, 'connect').catch(() => {})
        if (number % 2 === 1) socket.write('EHLO app.example\r\nNOOP\r\nNOOP\r\n')
        await pause(number % 7)
        leave[number % leave.length]?.(socket)
        await closed
      }
      await Promise.all(Array.from({ length: 56 }, (_, number) => visit(number)))
      simulator.faults.clear()
      assert.equal(await wholeSession(simulator), '250 250 354 250')
    })
})

describe('as a program', () => {
  const main = join(import.meta.dirname, 'main.ts')

  test('prints its ports, and obeys its flags', async () => {
    const flags = ['--seed', '7', '--idle-timeout', '30s', '--no-tls', '--no-auth', '--fault', '451-at-noop=times:1']
    const child = spawn(process.execPath, [main, ...flags], { stdio: ['ignore', 'pipe', 'inherit'] })
    const [line] = await once(createInterface(child.stdout), 'line')
    const ready = JSON.parse(String(line))
    assert.equal(ready.seed, 7)
    assert.equal(ready.pid, child.pid)
    const client = await connectClient(ready)
    await client.readReply()
    assert.equal(await send(client, ['NOOP']), '451')
    await ask(client, 'EHLO app.example')
    assert.equal(await send(client), '250 250 354 250')
    child.kill('SIGTERM')
    assert.deepEqual(await once(child, 'exit'), [0, null])
    client.destroy()
  })

  test('lists every fault in its help', async () => {
    const child = spawn(process.execPath, [main, '--help'], { stdio: ['ignore', 'pipe', 'inherit'] })
    const chunks = await child.stdout.toArray()
    for (const [form, { meaning }] of Object.entries(FAULTS)) assert.ok(String(chunks).includes(meaning), form)
  })
})
