/** The pages of the admin server, and its start and end. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import { test } from 'node:test'
import { admin, closed, raw, request } from '../../support/in-process/admin-rig.ts'

test('/metrics is the scrape page, in the format of Prometheus', async (context) => {
  const answer = await request(await admin(context), '/metrics')
  assert.equal(answer.status, 200)
  assert.equal(answer.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8')
  assert.equal(answer.text, '# a page\n')
})

test('/metrics without a page is 500, and does not show the reason', async (context) => {
  const page = async () => {
    throw new Error('canary')
  }
  const answer = await request(await admin(context, { page }), '/metrics')
  assert.equal(answer.status, 500)
  assert.doesNotMatch(answer.text, /canary/)
})

test('/livez is 200 even when the proxy is not ready', async (context) => {
  const answer = await request(await admin(context, { ready: () => 'draining' }), '/livez')
  assert.deepEqual([answer.status, answer.text], [200, 'alive\n'])
})

test('/readyz is 200, or 503 with the current reason', async (context) => {
  let ready: true | string = true
  const server = await admin(context, { ready: () => ready })
  const first = await request(server, '/readyz')
  assert.deepEqual([first.status, first.text], [200, 'ready\n'])
  ready = 'draining'
  const second = await request(server, '/readyz')
  assert.deepEqual([second.status, second.text], [503, 'draining\n'])
})

test('further pages are those that the options name', async (context) => {
  const { text: html, headers } = await request(await admin(context), '/')
  assert.equal(headers.get('content-type'), 'text/html; charset=utf-8')
  assert.equal(html, '<p>status</p>')
})

for (const path of ['/', '/metrics', '/livez', '/readyz']) {
  test(`HEAD ${path}: the headers of GET, and no body`, async (context) => {
    const server = await admin(context)
    const get = await request(server, path)
    const head = await request(server, path, { method: 'HEAD' })
    assert.equal(head.status, get.status)
    assert.equal(head.text, '')
    assert.equal(head.headers.get('content-length'), `${Buffer.byteLength(get.text)}`)
  })

  test(`${path} may not be framed, sniffed, cached or scripted`, async (context) => {
    const { headers } = await request(await admin(context), path)
    assert.match(headers.get('content-security-policy') ?? '', /default-src 'none'.*frame-ancestors 'none'/)
    assert.equal(headers.get('x-content-type-options'), 'nosniff')
    assert.equal(headers.get('cache-control'), 'no-store')
    assert.equal(headers.get('referrer-policy'), 'no-referrer')
    assert.equal(headers.get('access-control-allow-origin'), null)
  })

  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH']) {
    test(`${method} ${path} is not allowed (PRV-08)`, async (context) => {
      const answer = await request(await admin(context), path, { method })
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
  test(`the target ${target} is refused (PRV-08)`, async (context) => {
    const received = await raw(await admin(context), `GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)
    assert.match(received, /^HTTP\/1\.1 40[04] /)
    assert.doesNotMatch(received, /root:|a page/)
  })
}

test('a query is ignored', async (context) => {
  assert.equal((await request(await admin(context), '/livez?verbose=1')).status, 200)
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

test('an address of another machine: the error names the cause', async (context) => {
  await assert.rejects(
    admin(context, { host: '2001:db8::1' }),
    /PROXY_ADMIN: .*\[2001:db8::1\]:0: this machine has no (such address|IPv6): /,
  )
})

/** A name of two addresses of this machine and of one other machine. */
const SHARED = shared('127.0.0.1', '127.0.0.2')

/** A name of these addresses and of one other machine. */
function shared(...own: readonly string[]) {
  const addresses = ['192.0.2.1', ...own].map((address) => ({ address, family: 4 }))
  return { host: 'proxy-admin', findAddresses: async () => addresses }
}

async function assertRefused(host: string, port: number): Promise<void> {
  const [error] = await once(net.connect({ host, port }), 'error')
  assert.equal((error as NodeJS.ErrnoException).code, 'ECONNREFUSED', host)
}

test('a name of several machines: the server listens on its own addresses only, on one port', async (context) => {
  const server = await admin(context, SHARED)
  for (const host of ['127.0.0.1', '127.0.0.2']) {
    assert.equal(await (await fetch(`http://${host}:${server.port}/livez`)).text(), 'alive\n', host)
  }
  await assertRefused('127.0.0.3', server.port)
  await server.close()
  for (const host of ['127.0.0.1', '127.0.0.2']) await assertRefused(host, server.port)
})

test('a name of which the last address is taken: nothing stays open, and the error names the cause', async (context) => {
  const taken = net.createServer().listen(0, '127.0.0.3')
  await once(taken, 'listening')
  context.after(() => taken.close())
  const { port } = taken.address() as net.AddressInfo
  const three = shared('127.0.0.1', '127.0.0.2', '127.0.0.3')
  await assert.rejects(admin(context, { ...three, port }), /PROXY_ADMIN: .* the port is taken: /)
  for (const host of ['127.0.0.1', '127.0.0.2']) await assertRefused(host, port)
})

test('close stops listening and cuts open connections, with and without a response', {
  timeout: 10_000,
}, async (context) => {
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
  const unanswered = assert.rejects(request(server, '/metrics'))
  const idle = net.connect(server.port, '127.0.0.1').resume()
  const cut = closed(idle)
  await Promise.all([once(idle, 'connect'), arrived])
  await server.close()
  await Promise.all([unanswered, cut])
  await server.close()
  await assert.rejects(request(server, '/livez'))
})
