/** The ledger of the simulated AhaSend is exact: every reply, every body as on the wire, every session. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, test } from 'node:test'
import { serialize } from 'node:v8'
import { type Peer, startTls } from '../support/sockets/scripted-peers.ts'
import { ask, greeted, loggedIn, mail, secured, send } from './client.ts'
import { Ledger } from './ledger.ts'
import { startSimulator } from './simulator.ts'

function sha256(body: string): string {
  return createHash('sha256').update(body, 'latin1').digest('hex')
}

describe('the ledger', () => {
  const BODIES = ['', '..\r\n', 'a\r\n..b\r\n', 'a\r\n.\r\r\n', '\r\n\r\n', 'a\r\n.b\r\n', 'no end\r\n'.repeat(20_000)]

  async function deliver(client: Peer, body: string, byteByByte: boolean): Promise<void> {
    await send(client, mail().slice(0, 3))
    if (byteByByte) await client.trickle(`${body}.\r\n`)
    else await client.send(`${body}.\r\n`)
    assert.match(await client.readReply(), /^250 /)
  }

  for (const body of BODIES) {
    test(`hashes a body exactly as on the wire: ${JSON.stringify(body.slice(0, 20))}`, async () => {
      await using simulator = await startSimulator({ keepBodies: true })
      const client = await loggedIn(simulator)
      await deliver(client, body, false)
      if (body.length < 100) await deliver(client, body, true)
      for (const message of simulator.ledger.messages) {
        assert.equal(message.size, body.length)
        assert.equal(message.sha256, sha256(body))
        assert.equal(message.bytes?.toString('latin1'), body)
      }
      client.destroy()
    })
  }

  test('ends a body at CRLF.CRLF only, and performs the commands that follow it', async () => {
    await using simulator = await startSimulator({ refuseBareLineFeeds: false })
    const client = await loggedIn(simulator)
    const body = 'a\n.\nb\r.\rc\n.\r\nd\r\n.\ne\r\n'
    await client.send(`${mail().slice(0, 3).join('\r\n')}\r\n${body}.\r\nNOOP\r\n`)
    for (const code of ['250', '250', '354', '250', '250']) assert.equal((await client.readReply()).slice(0, 3), code)
    assert.equal(simulator.ledger.messages[0]?.sha256, sha256(body))
    client.destroy()
  })

  test('has every reply once, with its command, its time and its text', async () => {
    await using simulator = await startSimulator()
    const client = await loggedIn(simulator)
    await send(client)
    const kept = simulator.ledger.replies.map(({ command, code, tls }) => `${tls ? 'tls' : 'clear'} ${command} ${code}`)
    assert.deepEqual(kept, [
      'clear CONNECT 220',
      'clear EHLO 250',
      'clear STARTTLS 220',
      'tls EHLO 250',
      'tls AUTH 235',
      'tls MAIL 250',
      'tls RCPT 250',
      'tls DATA 354',
      'tls END-OF-MESSAGE 250',
    ])
    for (const { text, at, session } of simulator.ledger.replies) {
      assert.ok(text.length <= 60)
      assert.ok(at <= Date.now())
      assert.equal(session, 1)
    }
    client.destroy()
  })

  test('keeps no credentials', async () => {
    await using simulator = await startSimulator()
    const client = await loggedIn(simulator)
    assert.deepEqual(
      simulator.ledger.commands.filter(({ command }) => command === 'AUTH').map(({ line }) => line),
      ['AUTH PLAIN'],
    )
    client.destroy()
  })

  test('has the same totals with and without records and bodies', async () => {
    const totals = []
    for (const ledger of ['records', 'bodies', 'summary'] as const) {
      await using simulator = await startSimulator({ ledger })
      const client = await loggedIn(simulator)
      await send(client, mail({ to: 'one@example.net' }))
      await send(client, mail({ to: 'fault+553-at-rcpt@example.net' }))
      await ask(client, 'QUIT')
      totals.push(simulator.ledger.summary())
      assert.equal(simulator.ledger.messages.length, ledger === 'records' ? 1 : 0)
      assert.equal(simulator.ledger.bodies.size, ledger === 'summary' ? 0 : 1)
      client.destroy()
    }
    assert.deepEqual(totals[0], totals[1])
    assert.deepEqual(totals[0], totals[2])
    assert.deepEqual(totals[0]?.messages, { received: 1, accepted: 1, refused: 0, aborted: 0, octets: 26 })
    assert.equal(totals[0]?.recipients, 1)
  })

  test('a summary does not grow with what is received', () => {
    const ledger = new Ledger('summary')
    const recordMessages = (count: number) => {
      for (let n = 0; n < count; n += 1) {
        const session = ledger.opened()
        ledger.secured(session)
        ledger.command(session, 'MAIL', `MAIL FROM:<${n}@example.com>`)
        const body = { size: 1, sha256: sha256(String(Math.random())), bareLineFeed: false }
        ledger.verdict(ledger.message(session, `${n}@example.com`, ['b@example.net'], body), 250, [String(n)])
        ledger.replied(session, 'END-OF-MESSAGE', 250, 10, `OK ids=${n}`)
        ledger.closed(session)
      }
      return serialize({ ...ledger, summary: ledger.summary() }).length
    }
    const first = recordMessages(1)
    // only the counts have more digits
    assert.ok(recordMessages(1000) - first < 100)
    assert.equal(ledger.summary().messages.accepted, 1001)
  })

  test('counts the bytes before and after STARTTLS', async () => {
    await using simulator = await startSimulator()
    const client = await secured(simulator)
    const before = client.log.length
    await ask(client, 'NOOP')
    const { received, sent } = simulator.ledger.summary()
    assert.equal(received.clear, 'EHLO app.example\r\nSTARTTLS\r\n'.length)
    assert.equal(received.tls, 'EHLO app.example\r\nNOOP\r\n'.length)
    assert.equal(sent.tls, client.log.length)
    assert.ok(before < sent.tls)
    client.destroy()
  })

  test('counts sessions, failed handshakes and bodies without an end', async () => {
    await using simulator = await startSimulator()
    const untrusting = await greeted(simulator)
    await ask(untrusting, 'EHLO app.example')
    await assert.rejects(startTls(untrusting, {}))
    untrusting.destroy()
    const client = await loggedIn(simulator)
    await send(client, mail().slice(0, 3))
    await client.send('half a mess')
    await client.end()
    assert.equal(await client.closed(), 'fin')
    const { sessions, messages } = simulator.ledger.summary()
    assert.deepEqual(sessions, { opened: 2, closed: 2, tls: 1, tlsFailed: 1 })
    assert.deepEqual(messages, { received: 0, accepted: 0, refused: 0, aborted: 1, octets: 0 })
    client.destroy()
  })
})
