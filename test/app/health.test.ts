/** `app/health.ts`, the image's HEALTHCHECK, with admin servers that respond and admin servers that do not. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { text } from 'node:stream/consumers'
import { type TestContext, test } from 'node:test'
import { PROBE_ROWS } from '../../app/probe/settings.ts'
import { SETTINGS } from '../../proxy/settings/table.ts'

const HEALTH = new URL('../../app/health.ts', import.meta.url)

/** The exit code and the printed line. */
async function health(
  env: Readonly<Record<string, string>>,
  ...args: readonly string[]
): Promise<readonly [code: number, printed: string]> {
  const child = spawn(process.execPath, [HEALTH.pathname, ...args], { env, stdio: ['ignore', 'pipe', 'inherit'] })
  const [printed, [code]] = await Promise.all([text(child.stdout), once(child, 'exit')])
  return [code as number, printed.trimEnd()]
}

async function listening(t: TestContext, server: Server, host = '127.0.0.1'): Promise<number> {
  server.listen(0, host)
  await once(server, 'listening')
  t.after(() => server.close())
  return (server.address() as AddressInfo).port
}

/** An admin server that responds with this status to `/readyz` and with 404 to everything else. */
function admin(status: number): Server {
  return createHttpServer((request, response) => {
    response.writeHead(request.url === '/readyz' ? status : 404, { connection: 'close' }).end()
  })
}

test('a ready proxy is healthy', async (t) => {
  const port = await listening(t, admin(200))
  assert.deepEqual(await health({ PROXY_ADMIN: `http://127.0.0.1:${port}` }), [0, 'HTTP/1.1 200 OK'])
})

test('an unspecified listening address reaches the proxy on this machine', async (t) => {
  const port = await listening(t, admin(200), '0.0.0.0')
  assert.deepEqual(await health({ PROXY_ADMIN: `http://0.0.0.0:${port}` }), [0, 'HTTP/1.1 200 OK'])
})

test('a draining proxy is not healthy', async (t) => {
  const port = await listening(t, admin(503))
  assert.deepEqual(await health({ PROXY_ADMIN: `http://127.0.0.1:${port}` }), [1, 'HTTP/1.1 503 Service Unavailable'])
})

test('a refused connection is not healthy', async (t) => {
  const server = createServer()
  const port = await listening(t, server)
  server.close()
  const [code, printed] = await health({ PROXY_ADMIN: `http://127.0.0.1:${port}` })
  assert.equal(code, 1)
  assert.match(printed, /ECONNREFUSED/)
})

test('a proxy that does not respond is not healthy, and the check times out', async (t) => {
  const held = createServer((socket) => void t.after(() => socket.destroy()))
  const port = await listening(t, held)
  assert.deepEqual(await health({ PROXY_ADMIN: `http://127.0.0.1:${port}` }), [1, 'no response within 2500 ms'])
})

test('a proxy that closes without a response is not healthy', async (t) => {
  const port = await listening(
    t,
    createServer((socket) => void socket.resume().end()),
  )
  assert.deepEqual(await health({ PROXY_ADMIN: `http://127.0.0.1:${port}` }), [1, 'closed without a response'])
})

test('an IPv6 address is used without its brackets', async (t) => {
  const port = await listening(t, admin(200), '::1')
  assert.deepEqual(await health({ PROXY_ADMIN: `http://[::1]:${port}` }), [0, 'HTTP/1.1 200 OK'])
})

test('a host name reaches the proxy on this machine', async (t) => {
  const port = await listening(t, admin(200), 'localhost')
  assert.deepEqual(await health({ PROXY_ADMIN: `http://localhost:${port}` }), [0, 'HTTP/1.1 200 OK'])
  const [code, printed] = await health({ PROXY_ADMIN: 'http://no-such-host.invalid:9464' })
  assert.equal(code, 1)
  assert.match(printed, /getaddrinfo/)
})

test('without an admin server, the check succeeds', async () => {
  assert.deepEqual(await health({ PROXY_ADMIN: 'off' }), [0, 'PROXY_ADMIN is off: there is no admin server'])
})

test('without a setting, the check uses the default address of the proxy or of the probe', () => {
  const source = readFileSync(HEALTH, 'utf8')
  assert.ok(source.includes(`PROXY_ADMIN: '${SETTINGS.admin.default}'`))
  assert.ok(source.includes(`PROBE_METRICS: '${PROBE_ROWS.at(-1)?.default}'`))
})

test('with the argument PROBE_METRICS, it checks the probe', async (t) => {
  const port = await listening(t, admin(200))
  const env = { PROXY_ADMIN: 'http://127.0.0.1:1', PROBE_METRICS: `http://0.0.0.0:${port}` }
  assert.deepEqual(await health(env, 'PROBE_METRICS'), [0, 'HTTP/1.1 200 OK'])
  const off = await health({ PROBE_METRICS: 'off' }, 'PROBE_METRICS')
  assert.deepEqual(off, [0, 'PROBE_METRICS is off: there is no admin server'])
})
