/**
 * Each fault of the simulated AhaSend does what its description says, whether a flag, a request or an address sets it.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { connectClient, type Peer } from '../support/sockets/scripted-peers.ts'
import { ActiveFaults } from './active-faults.ts'
import { AUTH_PLAIN, ask, greeted, loggedIn, mail, secured, send, timed, wholeSession } from './client.ts'
import { type Simulator, startSimulator } from './simulator.ts'

const HOST = 'rehearsal.ahasend.example'

/** The commands of a session: what a client does before each, and what it sends. */
const COMMANDS: readonly {
  readonly point: string
  readonly connect: (simulator: Simulator) => Promise<Peer>
  readonly before: readonly string[]
  readonly command: string
}[] = [
  { point: 'ehlo-in-clear', connect: greeted, before: [], command: 'EHLO app.example' },
  { point: 'starttls', connect: greeted, before: ['EHLO app.example'], command: 'STARTTLS' },
  { point: 'ehlo', connect: secured, before: [], command: 'EHLO app.example' },
  { point: 'auth', connect: secured, before: [], command: AUTH_PLAIN },
  { point: 'mail', connect: loggedIn, before: [], command: 'MAIL FROM:<a@example.com>' },
  { point: 'rcpt', connect: loggedIn, before: mail().slice(0, 1), command: 'RCPT TO:<b@example.net>' },
  { point: 'data', connect: loggedIn, before: mail().slice(0, 2), command: 'DATA' },
  { point: 'end-of-message', connect: loggedIn, before: mail().slice(0, 3), command: 'Hello.\r\n.' },
  { point: 'rset', connect: loggedIn, before: [], command: 'RSET' },
  { point: 'noop', connect: loggedIn, before: [], command: 'NOOP' },
  { point: 'quit', connect: loggedIn, before: [], command: 'QUIT' },
]

describe('at each command', () => {
  for (const { point, connect, before, command } of COMMANDS) {
    /** Takes a client to the command, sets the fault, and sends the command. */
    const applyFault = async (name: string, check: (client: Peer, simulator: Simulator) => Promise<void>) => {
      await using simulator = await startSimulator()
      const client = await connect(simulator)
      await send(client, before)
      simulator.faults.set(`${name}-at-${point}`, { times: 1 })
      await client.send(`${command}\r\n`)
      await check(client, simulator)
      client.destroy()
    }

    test(`a reply code at ${point}, and the session continues`, () =>
      applyFault('555', async (client) => {
        assert.equal(await client.readReply(), '555 5.0.0 Simulated fault\r\n')
        assert.match(await ask(client, 'NOOP'), /^250 /)
      }))

    test(`421 at ${point}, then a close`, () =>
      applyFault('421', async (client) => {
        assert.equal(await client.readReply(), `421 4.3.0 ${HOST} technical difficulties\r\n`)
        assert.equal(await client.closed(), 'fin')
      }))

    test(`a close instead of a reply at ${point}`, () =>
      applyFault('close', async (client) => {
        assert.equal(await client.closed(), 'fin')
        assert.equal(client.log.unread.length, 0)
      }))

    test(`a reset instead of a reply at ${point}`, () =>
      applyFault('reset', async (client) => {
        assert.equal(await client.closed(), 'reset')
        assert.equal(client.log.unread.length, 0)
      }))

    for (const [name, ending] of [
      ['cut', 'fin'],
      ['cut-reset', 'reset'],
    ] as const) {
      test(`half a reply at ${point}, then ${ending}`, () =>
        applyFault(name, async (client, simulator) => {
          assert.equal(await client.closed(), ending)
          assert.match(client.log.unread.toString(), /^[2-5][0-9]{2}[ -][^\n]*/)
          assert.ok(!client.log.unread.toString().endsWith('\n'))
          const { cutReplies, messages } = simulator.ledger.summary()
          assert.equal(cutReplies, 1)
          assert.equal(messages.accepted, 0)
        }))
    }

    test(`silence at ${point}`, () =>
      applyFault('silence', async (client, simulator) => {
        assert.equal(await wholeSession(simulator), '250 250 354 250')
        assert.equal(client.log.unread.length, 0)
        assert.equal(client.ending, undefined)
      }))

    test(`a slow reply at ${point}`, () =>
      applyFault('slow-60', async (client) => {
        assert.ok((await timed(() => client.readReply())) >= 50)
      }))
  }
})

describe('a reset', () => {
  test('happens after the replies to earlier commands are sent', async () => {
    await using simulator = await startSimulator({ faults: { 'reset-at-data': {} } })
    const client = await loggedIn(simulator)
    const before = client.log.length
    await client.send(`${mail().slice(0, 3).join('\r\n')}\r\n`)
    assert.match(await client.readReply(), /^250 /)
    assert.match(await client.readReply(), /^250 /)
    assert.equal(await client.closed(), 'reset')
    assert.equal(simulator.ledger.summary().sent.tls, client.log.length)
    assert.ok(client.log.length > before)
    client.destroy()
  })
})

describe('at the greeting', () => {
  test('load shedding', async () => {
    await using simulator = await startSimulator({ faults: { 'load-shedding': {} } })
    const client = await connectClient(simulator)
    assert.equal(await client.readReply(), `421 4.3.2 ${HOST} load shedding. Try later\r\n`)
    assert.equal(await client.closed(), 'fin')
    assert.deepEqual(simulator.ledger.summary().replies, [{ command: 'CONNECT', code: 421, tls: false, count: 1 }])
    client.destroy()
  })

  test('after a 5yz code, only QUIT works', async () => {
    await using simulator = await startSimulator({ faults: { '554-at-greeting': {} } })
    const client = await connectClient(simulator)
    assert.match(await client.readReply(), /^554 /)
    assert.match(await ask(client, 'EHLO app.example'), /^503 /)
    assert.match(await ask(client, 'QUIT'), /^221 /)
    client.destroy()
  })

  test('slow, with a client that sends commands before it', async () => {
    await using simulator = await startSimulator({ faults: { 'slow-50-at-greeting': {} } })
    const client = await connectClient(simulator)
    const took = await timed(async () => {
      await client.send('EHLO app.example\r\nNOOP\r\n')
      assert.match(await client.readReply(), /^220 /)
    })
    assert.ok(took >= 40)
    assert.match(await client.readReply(), /^250-/)
    assert.match(await client.readReply(), /^250 the goggles/)
    client.destroy()
  })

  for (const [name, ending] of [
    ['close-at-greeting', 'fin'],
    ['reset-at-greeting', 'reset'],
    ['cut-at-greeting', 'fin'],
  ] as const) {
    test(`${name}: ${ending}`, async () => {
      // The delay lets the client connect before the reset.
      await using simulator = await startSimulator({ faults: { [name]: {}, 'slow-20-at-greeting': {} } })
      const client = await connectClient(simulator)
      assert.equal(await client.closed(), ending)
      client.destroy()
    })
  }
})

describe('an idle limit', () => {
  test('that is set while the simulator runs applies to new connections', async () => {
    await using simulator = await startSimulator()
    const early = await greeted(simulator)
    simulator.faults.set('idle-30')
    const late = await greeted(simulator)
    assert.equal(await late.readReply(), `421 4.3.2 ${HOST} idle too long\r\n`)
    assert.equal(early.ending, undefined)
    early.destroy()
    late.destroy()
  })
})

describe('silence', () => {
  test('continues after the idle limit', async () => {
    await using simulator = await startSimulator({ idleMs: 1000, faults: { 'silence-at-noop': {} } })
    const client = await connectClient(simulator)
    await client.send('NOOP\r\n') // sent without waiting for the greeting, so that it arrives within the limit
    await client.readReply()
    const bystander = await greeted(simulator)
    assert.match(await bystander.readReply(), /idle too long/)
    assert.equal(client.log.unread.length, 0)
    assert.equal(client.ending, undefined)
    client.destroy()
    bystander.destroy()
  })
})

describe('reply texts', () => {
  for (const [fault, reply] of [
    ['account-disabled', '521 5.3.2 Account is suspended, paused or out of credits'],
    ['553-at-rcpt', '553 Requested action not taken: recipient domain is toxic or tempmail'],
    ['451-at-end-of-message', '451 4.3.0 Temporary server error'],
    ['552-at-end-of-message', '552 5.6.0 message data must use CRLF for line endings'],
    ['556-at-mail', '556 5.7.1 Account or sending domain is not configured'],
    ['500-at-mail', "500 authz_id 'app' is not authorized to send as tenant 'rehearsal' or from this domain"],
  ] as const) {
    test(fault, async () => {
      await using simulator = await startSimulator({ faults: { [fault]: {} } })
      const client = await loggedIn(simulator)
      let last = ''
      for (const line of mail()) {
        last = await ask(client, line)
        if (/^[45]/.test(last)) break
      }
      assert.equal(last, reply)
      client.destroy()
    })
  }

  test('can be replaced', async () => {
    const text = `4.3.2 ${HOST} shutting down`
    await using simulator = await startSimulator({ faults: { '421-at-noop': { text } } })
    const client = await greeted(simulator)
    assert.equal(await ask(client, 'NOOP'), `421 ${text}`)
    client.destroy()
  })
})

describe('an address sets a fault', () => {
  for (const [what, envelope, codes] of [
    ['the recipient, at RCPT', { to: 'fault+553-at-rcpt@example.net' }, '250 553'],
    ['the recipient, at DATA', { to: 'fault+421-at-data@example.net' }, '250 250 421'],
    ['the recipient, at the end of the message', { to: 'fault+451-at-end-of-message@example.net' }, '250 250 354 451'],
    ['the sender, at MAIL', { from: 'fault+521-at-mail@example.com' }, '521'],
    ['the sender, at RCPT', { from: 'fault+556-at-rcpt@example.com' }, '250 556'],
    ['the sender, at the end of the message', { from: 'FAULT+552-at-end-of-message@example.com' }, '250 250 354 552'],
    ['several faults', { to: 'fault+slow-1-at-rcpt+451-at-rcpt+421-at-data@example.net' }, '250 451'],
    ['a fault that does not exist', { to: 'fault+999-at-rcpt@example.net' }, '250 501'],
    ['a fault that applies before the address is known', { from: 'fault+421-at-greeting@example.com' }, '501'],
    ['an address that is not a fault', { to: 'default+553-at-rcpt@example.net' }, '250 250 354 250'],
  ] as const) {
    test(`${what}: ${codes}`, async () => {
      await using simulator = await startSimulator()
      const client = await loggedIn(simulator)
      assert.equal(await send(client, mail(envelope)), codes)
      client.destroy()
    })
  }

  test('for its own transaction and recipient only', async () => {
    await using simulator = await startSimulator()
    const client = await loggedIn(simulator)
    const [from = '', , data = '', body = ''] = mail()
    const lines = [from, 'RCPT TO:<fault+slow-1-at-rcpt+451-at-end-of-message@example.net>', 'RCPT TO:<b@example.net>']
    assert.equal(await send(client, [...lines, data, body]), '250 250 250 354 451')
    assert.equal(await send(client), '250 250 354 250')
    client.destroy()
  })
})

describe('active faults', () => {
  test('apply the given number of times, then are cleared', async () => {
    await using simulator = await startSimulator({ faults: { '451-at-noop': { times: 2 } } })
    const client = await greeted(simulator)
    assert.equal(await send(client, ['NOOP']), '451')
    assert.equal(await send(client, ['NOOP']), '451')
    assert.equal(await send(client, ['NOOP']), '250')
    assert.deepEqual(simulator.faults.list(), [])
    client.destroy()
  })

  test('apply at random, with the same result for the same seed', () => {
    const applications = (seed: number) => {
      const faults = new ActiveFaults(seed)
      faults.set('451-at-rcpt', { probability: 0.3 })
      return Array.from({ length: 1000 }, () => (faults.plan('rcpt').insteadOfCommand ? 'x' : '.')).join('')
    }
    assert.equal(applications(1), applications(1))
    assert.notEqual(applications(1), applications(2))
    const count = applications(1).replaceAll('.', '').length
    assert.ok(count > 250 && count < 350, `${count} of 1000`)
  })

  for (const [name, options] of [
    ['451-at-lunch', {}],
    ['999-at-mail', {}],
    ['451-at-mail', { probability: 2 }],
    ['451-at-mail', { times: 0 }],
    ['slow-5-at-mail', { text: 'late' }],
  ] as const) {
    test(`reject an unknown fault or a bad option: ${name} ${JSON.stringify(options)}`, () => {
      assert.throws(() => new ActiveFaults(1).set(name, options), RangeError)
    })
  }
})
