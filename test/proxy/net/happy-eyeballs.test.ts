/** Names, addresses, and the concurrent attempts to connect. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import { afterEach, beforeEach, describe, type TestContext, test } from 'node:test'
import { connectAny, resolve } from '../../../proxy/net/happy-eyeballs.ts'
import { OpenResources } from '../../support/in-process/open-resources.ts'
import { Names } from '../../support/in-process/resolver.ts'
import { openBlackHole } from '../../support/sockets/black-hole.ts'
import { ScriptedUpstream } from '../../support/sockets/scripted-peers.ts'

/** Loopback addresses without a listener on the port of a test's upstream. */
const REFUSING = ['127.0.0.2', '127.0.0.3', '127.0.0.4']

const never = new AbortController().signal

/** The default of PROXY_DIAL_TIMEOUT. */
const TIMEOUT_MS = 10_000

/** For tests that mock the timers of this process. The timer of node:test is not mocked. */
const TIMED = { timeout: 10_000 }

let upstream: ScriptedUpstream
let resources: OpenResources
beforeEach(async () => {
  upstream = await ScriptedUpstream.start()
  resources = new OpenResources()
})
afterEach(async () => {
  await upstream.close()
  await resources.allClosed('connections of the race')
  resources[Symbol.dispose]()
})

interface Race {
  readonly port?: number
  /** The signal of a test with a timeout: attempts that continue after it would keep this process alive. */
  readonly signal?: AbortSignal
}

/** Connects, checks the address, and closes. */
async function reaches(address: string, addresses: readonly string[], race: Race = {}): Promise<void> {
  const socket = await connectAny(addresses, race.port ?? upstream.port, TIMEOUT_MS, race.signal ?? never)
  assert.equal(socket.remoteAddress, address)
  socket.destroy()
}

describe('connectAny', () => {
  test('tries the next address immediately after a refusal (GRT-09)', TIMED, async (context) => {
    // the 250 ms for a slow address never pass: an attempt that waits for them runs into the timeout of this test
    context.mock.timers.enable({ apis: ['setTimeout'] })
    await reaches('127.0.0.1', [...REFUSING, '127.0.0.1'], context)
    await upstream.accept()
    assert.equal(upstream.connections, 1)
  })

  test('rejects with the last error if all refuse (GRT-06)', async () => {
    await assert.rejects(connectAny(REFUSING, upstream.port, TIMEOUT_MS, never), {
      code: 'ECONNREFUSED',
      address: REFUSING.at(-1),
    })
    assert.equal(upstream.connections, 0)
  })

  test(
    'tries the next address while one does not answer, and closes the slower connection (GRT-07, GRT-09)',
    TIMED,
    async (context) => {
      await using hole = await openBlackHole('127.0.0.2')
      await using server = net.createServer().listen({ host: '127.0.0.1', port: hole.port })
      await once(server, 'listening')
      let connections = 0
      server.on('connection', () => {
        connections += 1
      })
      const { timers } = context.mock
      timers.enable({ apis: ['setTimeout'] })
      const reached = reaches('127.0.0.1', ['127.0.0.2', '127.0.0.1'], { port: hole.port, signal: context.signal })
      timers.tick(249)
      for (let turn = 0; turn < 2; turn += 1) await new Promise((next) => setImmediate(next))
      assert.equal(connections, 0, 'not before the 250 ms of RFC 8305 section 5')
      timers.tick(1)
      await reached
      timers.reset()
    },
  )

  test('gives up on an address that does not answer only when the signal aborts (GRT-07)', async () => {
    await using hole = await openBlackHole('127.0.0.2')
    const giveUp = new AbortController()
    const connecting = connectAny(['127.0.0.2', '127.0.0.3'], hole.port, TIMEOUT_MS, giveUp.signal)
    const second = await Promise.race([connecting.catch(() => 'given up'), new Promise((go) => setTimeout(go, 400))])
    assert.equal(second, undefined, 'the refusal of the second address does not end the first attempt')
    giveUp.abort(new Error('enough'))
    await assert.rejects(connecting, { message: 'enough' })
  })

  test('opens no socket if the signal has already aborted (DIS-11)', async () => {
    await assert.rejects(connectAny(['127.0.0.1'], upstream.port, TIMEOUT_MS, AbortSignal.abort(new Error('late'))), {
      message: 'late',
    })
    assert.equal(upstream.connections, 0)
  })

  test('closes a connection that is established at the moment of the abort (DIS-11)', async () => {
    const giveUp = new AbortController()
    const connecting = connectAny(['127.0.0.1'], upstream.port, TIMEOUT_MS, giveUp.signal)
    giveUp.abort(new Error('enough'))
    await assert.rejects(connecting, { message: 'enough' })
  })

  test('connects over IPv6 (GRT-14)', async () => {
    await using server = net.createServer().listen({ host: '::1', port: 0 })
    await once(server, 'listening')
    await reaches('::1', ['::1'], { port: (server.address() as net.AddressInfo).port })
  })

  test('keeps the other direction open after a FIN (DIS-02)', async () => {
    const socket = await connectAny(['127.0.0.1'], upstream.port, TIMEOUT_MS, never)
    const peer = await upstream.accept()
    await peer.end()
    await once(socket.resume(), 'end')
    socket.end('QUIT\r\n')
    assert.equal(await peer.readLine(), 'QUIT\r\n')
  })

  test('an RST before anyone listens for errors does not end the process (DIS-06)', async () => {
    const socket = await connectAny(['127.0.0.1'], upstream.port, TIMEOUT_MS, never)
    const peer = await upstream.accept()
    const gone = new Promise((close) => socket.once('close', close))
    await peer.reset()
    await gone
  })
})

/** Replaces the network: no address ever answers. Records when each attempt begins and how many are open. */
class SilentNetwork {
  readonly began: { readonly host: string; readonly at: number; readonly socket: net.Socket }[] = []
  /** The largest number of sockets that were open at the same time. */
  mostOpen = 0
  now = 0

  constructor({ mock }: TestContext) {
    mock.timers.enable({ apis: ['setTimeout'] })
    mock.method(net, 'connect', ({ host }: { readonly host: string }) => {
      const socket = new net.Socket()
      this.began.push({ host, at: this.now, socket })
      this.mostOpen = Math.max(this.mostOpen, this.open.length)
      return socket
    })
  }

  get open(): string[] {
    return this.began.filter(({ socket }) => !socket.destroyed).map(({ host }) => host)
  }

  advance(timers: TestContext['mock']['timers'], ms: number): void {
    for (const end = this.now + ms; this.now < end; ) {
      this.now += 1
      timers.tick(1)
    }
  }
}

describe('connectAny, if no address answers', () => {
  const addresses = (count: number) => Array.from({ length: count }, (_, index) => `192.0.2.${index}`)

  async function race(context: TestContext, count: number, timeoutMs: number): Promise<SilentNetwork> {
    const network = new SilentNetwork(context)
    const giveUp = new AbortController()
    const connecting = connectAny(addresses(count), 587, timeoutMs, giveUp.signal)
    network.advance(context.mock.timers, timeoutMs)
    const { open } = network
    giveUp.abort(new Error('timeout'))
    await assert.rejects(connecting, { message: 'timeout' })
    assert.deepEqual(network.open, [], 'every socket is closed at the end')
    assert.deepEqual(open, addresses(count).slice(-6), 'the last attempts last until the timeout')
    return network
  }

  for (const [count, timeoutMs] of [
    [7, 10_000],
    [41, 10_000],
    [41, 5_000],
    [200, 10_000],
  ] as const) {
    test(`RFC 8305: ${count} addresses and ${timeoutMs} ms: each is tried, at most six at the same time`, async (context) => {
      const { began, mostOpen } = await race(context, count, timeoutMs)
      assert.deepEqual(
        began.map(({ host }) => host),
        addresses(count),
      )
      assert.equal(mostOpen, 6)
      const gaps = began.slice(1).map(({ at }, index) => at - began[index]!.at)
      assert.ok(Math.max(...gaps) <= 250 && Math.min(...gaps) >= 10, `${gaps} ms`)
      const lastMs = timeoutMs - began.at(-1)!.at
      assert.ok(lastMs >= 6 * Math.min(...gaps), `the last address is tried for ${lastMs} ms, like the others`)
    })
  }

  test('RFC 8305: up to six attempts all continue, and each starts 250 ms after the previous one', async (context) => {
    const { began } = await race(context, 6, TIMEOUT_MS)
    assert.deepEqual(
      began.map(({ at }) => at),
      [0, 250, 500, 750, 1000, 1250],
    )
  })
})

test('an address that answers is reached within the timeout after forty that do not (GRT-09)', async () => {
  await using hole = await openBlackHole('0.0.0.0')
  await using server = net.createServer().listen({ host: '::1', port: hole.port, ipv6Only: true })
  await once(server, 'listening')
  const silent = Array.from({ length: 40 }, (_, index) => `127.0.0.${index + 2}`)
  const socket = await connectAny([...silent, '::1'], hole.port, 2000, AbortSignal.timeout(TIMEOUT_MS))
  assert.equal(socket.remoteAddress, '::1')
  socket.destroy()
})

describe('resolve', () => {
  const ORDERS: readonly (readonly [string, readonly string[], readonly string[]])[] = [
    ['IPv4 only', ['192.0.2.1', '192.0.2.2'], ['192.0.2.1', '192.0.2.2']],
    ['the family of the first address first', ['2001:db8::1', '192.0.2.1'], ['2001:db8::1', '192.0.2.1']],
    [
      'more of the first family',
      ['192.0.2.1', '192.0.2.2', '192.0.2.3', '2001:db8::1'],
      ['192.0.2.1', '2001:db8::1', '192.0.2.2', '192.0.2.3'],
    ],
    [
      'more of the second family',
      ['192.0.2.1', '2001:db8::1', '2001:db8::2', '2001:db8::3'],
      ['192.0.2.1', '2001:db8::1', '2001:db8::2', '2001:db8::3'],
    ],
  ]

  for (const [what, found, expected] of ORDERS) {
    test(`alternates the families (RFC 8305 section 4): ${what} (GRT-09)`, async () => {
      using names = new Names({ 'mail.test': found })
      assert.deepEqual(await resolve('mail.test'), expected)
      assert.deepEqual(names.asked, ['mail.test'])
    })
  }

  test('does not look up an address (GRT-08)', async () => {
    using names = new Names({})
    assert.deepEqual(await resolve('192.0.2.1'), ['192.0.2.1'])
    assert.deepEqual(await resolve('2001:db8::1'), ['2001:db8::1'])
    assert.deepEqual(names.asked, [])
  })

  test('concurrent calls share one lookup; the next call looks up again (GRT-08)', async () => {
    const { promise, resolve: answer } = Promise.withResolvers<string[]>()
    using names = new Names({ 'mail.test': promise, 'other.test': ['192.0.2.9'] })
    const asking = [resolve('mail.test'), resolve('mail.test'), resolve('other.test')]
    answer(['192.0.2.1'])
    assert.deepEqual(await Promise.all(asking), [['192.0.2.1'], ['192.0.2.1'], ['192.0.2.9']])
    names.set('mail.test', ['192.0.2.2'])
    assert.deepEqual(await resolve('mail.test'), ['192.0.2.2'])
    assert.deepEqual(names.asked, ['mail.test', 'other.test', 'mail.test'])
  })

  test('rejects all concurrent calls with the resolver’s error, and does not cache a failure (GRT-08)', async () => {
    using names = new Names({ 'mail.test': 'EAI_AGAIN' })
    const both = await Promise.allSettled([resolve('mail.test'), resolve('mail.test')])
    assert.deepEqual(
      both.map((result) => result.status === 'rejected' && result.reason.code),
      ['EAI_AGAIN', 'EAI_AGAIN'],
    )
    names.set('mail.test', ['192.0.2.1'])
    assert.deepEqual(await resolve('mail.test'), ['192.0.2.1'])
    assert.deepEqual(names.asked, ['mail.test', 'mail.test'])
  })

  test('a name that does not exist is an error of the real resolver as well (GRT-08)', async () => {
    await assert.rejects(resolve('mail.invalid'), (error: NodeJS.ErrnoException) => /^E/.test(error.code ?? ''))
  })
})

test('an empty list of addresses fails immediately', async () => {
  await assert.rejects(connectAny([], 25, 10_000, new AbortController().signal), /no address/)
})
