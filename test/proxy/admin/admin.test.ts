import assert from 'node:assert/strict'
import diagnostics from 'node:diagnostics_channel'
import { once } from 'node:events'
import net from 'node:net'
import { type TestContext, test } from 'node:test'
import { ADMIN_LIMITS, type Admin, type AdminOptions, startAdmin } from '../../../proxy/admin/admin.ts'
import type { Status } from '../../../proxy/admin/status-page.ts'

const status: Status = {
  version: '1.2.3',
  uptimeSeconds: 93_784,
  listeners: ['smtp://127.0.0.1:2525', 'smtps://[::1]:4650'],
  upstreams: ['send.example:587'],
  activeSessions: 42,
  draining: false,
  changes: ['STARTTLS is answered here.'],
}

async function admin(context: TestContext, options: Partial<AdminOptions> = {}): Promise<Admin> {
  const started = await startAdmin({
    host: '127.0.0.1',
    port: 0,
    page: async () => '# a page\n',
    status: () => status,
    ready: () => true,
    ...options,
  })
  context.after(() => started.close())
  return started
}

/** For connections that are to be cut: enough for the others, on a machine that stalls, to be answered. */
const SHORT_MS = 2000

interface Heard {
  readonly status: number
  readonly headers: Headers
  readonly text: string
}

async function ask({ port }: Admin, path: string, init: RequestInit = {}): Promise<Heard> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, init)
  return { status: response.status, headers: response.headers, text: await response.text() }
}

/** A client that says exactly `bytes`, and what it hears until the server closes. */
async function raw({ port }: Admin, bytes: string): Promise<string> {
  const socket = net.connect(port, '127.0.0.1')
  let heard = ''
  socket.on('data', (chunk) => (heard += chunk.toString('latin1')))
  socket.write(bytes)
  await closed(socket)
  return heard
}

/** Resolves when the socket is closed, by a reset too. */
function closed(socket: net.Socket): Promise<void> {
  return new Promise((settle) => {
    socket.on('error', () => {}).once('close', () => settle())
  })
}

test('/metrics is the page, as Prometheus wants it', async (context) => {
  const answer = await ask(await admin(context), '/metrics')
  assert.equal(answer.status, 200)
  assert.equal(answer.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8')
  assert.equal(answer.text, '# a page\n')
})

test('/metrics without a page is 500, and says nothing of the reason', async (context) => {
  const page = async () => {
    throw new Error('canary')
  }
  const answer = await ask(await admin(context, { page }), '/metrics')
  assert.equal(answer.status, 500)
  assert.doesNotMatch(answer.text, /canary/)
})

test('/livez is 200 even when the proxy is not ready', async (context) => {
  const answer = await ask(await admin(context, { ready: () => 'draining' }), '/livez')
  assert.deepEqual([answer.status, answer.text], [200, 'alive\n'])
})

test('/readyz is 200, or 503 with the reason, as things are now', async (context) => {
  let ready: true | string = true
  const server = await admin(context, { ready: () => ready })
  const first = await ask(server, '/readyz')
  assert.deepEqual([first.status, first.text], [200, 'ready\n'])
  ready = 'draining'
  const second = await ask(server, '/readyz')
  assert.deepEqual([second.status, second.text], [503, 'draining\n'])
})

test('the status page tells what it was given', async (context) => {
  const { text: html, headers } = await ask(await admin(context), '/')
  assert.equal(headers.get('content-type'), 'text/html; charset=utf-8')
  for (const text of ['1.2.3', '1 d 2 h', 'running', '<dd>42</dd>', 'send.example:587', 'STARTTLS is answered here.'])
    assert.ok(html.includes(text), text)
  for (const listener of status.listeners) assert.ok(html.includes(`<dd>${listener}</dd>`))
})

test('the status page says when the proxy drains', async (context) => {
  const draining = { ...status, draining: true }
  const { text: html } = await ask(await admin(context, { status: () => draining }), '/')
  assert.match(html, /draining/)
})

test('the status page loads nothing and runs nothing', async (context) => {
  const { text: html } = await ask(await admin(context), '/')
  assert.doesNotMatch(html, /src=|<link|<script|@import|url\(|https?:/)
})

test('the status page escapes what it shows', async (context) => {
  const hostile = { ...status, upstreams: [`<img src=x onerror="alert('1')">&`] }
  const { text: html } = await ask(await admin(context, { status: () => hostile }), '/')
  assert.ok(html.includes('&lt;img src=x onerror=&quot;alert(&#39;1&#39;)&quot;&gt;&amp;'))
  assert.ok(!html.includes('<img'))
})

for (const [seconds, shown] of [
  [0, '0 s'],
  [59.9, '59 s'],
  [60, '1 min 0 s'],
  [3661, '1 h 1 min'],
  [864_000, '10 d 0 h'],
] as const) {
  test(`an uptime of ${seconds} s is shown as ${shown}`, async (context) => {
    const { text: html } = await ask(
      await admin(context, { status: () => ({ ...status, uptimeSeconds: seconds }) }),
      '/',
    )
    assert.ok(html.includes(`<dd>${shown}</dd>`))
  })
}

for (const path of ['/', '/metrics', '/livez', '/readyz']) {
  test(`HEAD ${path}: the headers of GET, and no body`, async (context) => {
    const server = await admin(context)
    const get = await ask(server, path)
    const head = await ask(server, path, { method: 'HEAD' })
    assert.equal(head.status, get.status)
    assert.equal(head.text, '')
    assert.equal(head.headers.get('content-length'), `${Buffer.byteLength(get.text)}`)
  })

  test(`${path} may not be framed, sniffed, cached or scripted`, async (context) => {
    const { headers } = await ask(await admin(context), path)
    assert.match(headers.get('content-security-policy') ?? '', /default-src 'none'.*frame-ancestors 'none'/)
    assert.equal(headers.get('x-content-type-options'), 'nosniff')
    assert.equal(headers.get('cache-control'), 'no-store')
    assert.equal(headers.get('referrer-policy'), 'no-referrer')
    assert.equal(headers.get('access-control-allow-origin'), null)
  })

  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH']) {
    test(`${method} ${path} is not allowed (PRV-08)`, async (context) => {
      const answer = await ask(await admin(context), path, { method })
      assert.equal(answer.status, 405)
      assert.equal(answer.headers.get('allow'), 'GET, HEAD')
    })
  }
}

for (const target of [
  '/nothing',
  '/metrics/',
  '//metrics',
  '/../../etc/passwd',
  '/%2e%2e/etc/passwd',
  '/constructor',
  '__proto__',
  'http://other.example/metrics',
  '*',
]) {
  test(`the target ${target} leads nowhere (PRV-08)`, async (context) => {
    const heard = await raw(await admin(context), `GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)
    assert.match(heard, /^HTTP\/1\.1 40[04] /)
    assert.doesNotMatch(heard, /root:|a page/)
  })
}

test('a query changes nothing', async (context) => {
  assert.equal((await ask(await admin(context), '/livez?verbose=1')).status, 200)
})

test('a header of 1 MB is refused (PRV-08)', async (context) => {
  const heard = await raw(await admin(context), `GET / HTTP/1.1\r\nHost: x\r\nX: ${'a'.repeat(1024 * 1024)}\r\n\r\n`)
  assert.match(heard, /^(HTTP\/1\.1 431 |$)/)
})

test('what is not HTTP is refused', async (context) => {
  assert.match(await raw(await admin(context), 'EHLO client\r\n'), /^HTTP\/1\.1 400 /)
})

test('a request that never ends is cut, and the others are answered meanwhile (PRV-08)', async (context) => {
  const server = await admin(context, { limits: { requestMs: SHORT_MS } })
  const slow = Array.from({ length: 20 }, () => raw(server, 'GET /metrics HTTP/1.1\r\nHost: x\r\nX-Slow: '))
  assert.equal((await ask(server, '/livez')).status, 200)
  for (const heard of await Promise.all(slow)) assert.match(heard, /^HTTP\/1\.1 408 /)
})

/** A page of 8 MB, more than the kernel's buffers take. */
const HUGE = `${'#'.repeat(1023)}\n`.repeat(8192)
const ASKS = 'GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n'

/** The server's ends of the connections that are open. */
function serverSockets(context: TestContext): Set<net.Socket> {
  const open = new Set<net.Socket>()
  const opened = (message: unknown) => {
    const { socket } = message as { socket: net.Socket }
    open.add(socket)
    socket.once('close', () => open.delete(socket))
  }
  diagnostics.subscribe('net.server.socket', opened)
  context.after(() => diagnostics.unsubscribe('net.server.socket', opened))
  return open
}

/** A client that asks and never reads. */
function unreading({ port }: Admin, requests: number): net.Socket {
  const socket = net.connect(port, '127.0.0.1').pause()
  socket.on('error', () => {})
  socket.write(ASKS.repeat(requests))
  return socket
}

test('a client that asks 1000 times and reads nothing makes one answer wait', async (context) => {
  const sockets = serverSockets(context)
  let pages = 0
  const page = async () => {
    pages += 1
    return HUGE
  }
  const server = await admin(context, { page })
  const silent = unreading(server, 1000)
  assert.equal((await ask(server, '/metrics')).text, HUGE)
  const [waiting] = [...sockets].filter(({ writableLength }) => writableLength > 0)
  assert.ok(waiting && waiting.writableLength < HUGE.length + 1024, `${waiting?.writableLength}`)
  assert.equal(pages, 2)
  silent.destroy()
})

test('however many ask and read nothing, no more answers wait than connections may be', async (context) => {
  const sockets = serverSockets(context)
  const server = await admin(context, { page: async () => HUGE, limits: { connections: 4 } })
  const silent: net.Socket[] = []
  for (let count = 0; count < 40; count += 1) {
    silent.push(unreading(server, 10))
    assert.equal((await ask(server, '/livez')).status, 200)
    assert.ok(sockets.size <= 5, `${sockets.size} connections`)
  }
  const waiting = [...sockets].reduce((sum, { writableLength }) => sum + writableLength, 0)
  assert.ok(waiting > HUGE.length && waiting < 5 * HUGE.length, `${waiting} octets wait`)
  for (const socket of silent) socket.destroy()
})

test('a client that asks and never reads is cut', async (context) => {
  const sockets = serverSockets(context)
  const server = await admin(context, { page: async () => HUGE, limits: { connectionMs: SHORT_MS } })
  const silent = unreading(server, 1)
  await once(silent, 'connect')
  assert.equal((await ask(server, '/livez')).status, 200)
  await Promise.all([...sockets].map((socket) => closed(socket)))
  silent.destroy()
})

test('a client that reads slowly is cut, although something moves all the time', async (context) => {
  const server = await admin(context, { page: async () => HUGE, limits: { connectionMs: SHORT_MS } })
  const slow = net.connect(server.port, '127.0.0.1')
  slow.write(ASKS)
  let heard = 0
  const pace = setInterval(() => slow.resume(), SHORT_MS / 15)
  slow.on('data', (chunk) => {
    heard += chunk.length
    slow.pause()
  })
  await closed(slow)
  clearInterval(pace)
  assert.ok(heard > 0 && heard < HUGE.length, `${heard} octets`)
})

test('a thousand connections that say nothing: ten stay, and a probe is answered', async (context) => {
  const sockets = serverSockets(context)
  const limits = { connections: 10, requestMs: 60_000, connectionMs: 60_000 }
  const server = await admin(context, { limits })
  const crowd = Array.from({ length: 1000 }, () => net.connect(server.port, '127.0.0.1').resume())
  const ends = crowd.map((socket) => closed(socket))
  await new Promise<void>((settle) => {
    let ended = 0
    for (const end of ends) void end.then(() => ++ended === 990 && settle())
  })
  assert.equal(sockets.size, 10)
  assert.equal((await ask(server, '/livez')).status, 200)
  for (const socket of crowd) socket.destroy()
  await Promise.all(ends)
})

test('a connection that says nothing is cut', async (context) => {
  const heard = await raw(await admin(context, { limits: { requestMs: 300 } }), '')
  assert.match(heard, /^(HTTP\/1\.1 408 |$)/)
})

test('a connection is for one request', async (context) => {
  const server = await admin(context)
  const heard = await raw(server, 'GET /livez HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(3))
  assert.match(heard, /^HTTP\/1\.1 200 /)
  assert.match(heard, /^connection: close\r$/m)
  assert.equal(heard.match(/alive/g)?.length, 1)
})

test('the limits are what they are meant to be', () => {
  assert.deepEqual(ADMIN_LIMITS, {
    connections: 128,
    requestsPerConnection: 1,
    headerBytes: 8192,
    requestMs: 5000,
    connectionMs: 15_000,
  })
})

test('a port that is taken: the error names the setting and what to do', async (context) => {
  const { port } = await admin(context)
  await assert.rejects(admin(context, { port }), (error: Error) => {
    assert.match(
      error.message,
      /^PROXY_ADMIN: cannot listen on http:\/\/127\.0\.0\.1:\d+: the port is taken: stop the other program or choose/,
    )
    assert.match(error.message, /, or set it to off$/)
    return true
  })
})

test('an address that is not ours: the error says so', async (context) => {
  await assert.rejects(
    admin(context, { host: '2001:db8::1' }),
    /PROXY_ADMIN: .*\[2001:db8::1\]:0: this machine has no (such address|IPv6): /,
  )
})

test('close ends listening and cuts what is open, answered or not', { timeout: 10_000 }, async (context) => {
  const never = new Promise<string>(() => {})
  let asked = () => {}
  const arrived = new Promise<void>((settle) => {
    asked = settle
  })
  const page = () => {
    asked()
    return never
  }
  const server = await admin(context, { page })
  const unanswered = assert.rejects(ask(server, '/metrics'))
  const idle = net.connect(server.port, '127.0.0.1').resume()
  const cut = closed(idle)
  await Promise.all([once(idle, 'connect'), arrived])
  await server.close()
  await Promise.all([unanswered, cut])
  await server.close()
  await assert.rejects(ask(server, '/livez'))
})
