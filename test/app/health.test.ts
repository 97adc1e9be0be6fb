/** `app/health.ts`: what the image's HEALTHCHECK runs, before admin servers that answer and that do not. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { text } from 'node:stream/consumers'
import { type TestContext, test } from 'node:test'
import { SETTINGS } from '../../proxy/settings/table.ts'

const HEALTH = new URL('../../app/health.ts', import.meta.url)

/** The exit code and what was said. */
async function health(env: Readonly<Record<string, string>>): Promise<readonly [code: number, told: string]> {
  const child = spawn(process.execPath, [HEALTH.pathname], { env, stdio: ['ignore', 'pipe', 'inherit'] })
  const [told, [code]] = await Promise.all([text(child.stdout), once(child, 'exit')])
  return [code as number, told.trimEnd()]
}

async function listening(t: TestContext, server: Server, host = '127.0.0.1'): Promise<number> {
  server.listen(0, host)
  await once(server, 'listening')
  t.after(() => server.close())
  return (server.address() as AddressInfo).port
}

/** An admin server that gives this status to `/readyz` and 404 to all else. */
function admin(status: number): Server {
  return createHttpServer((request, response) => {
    response.writeHead(request.url === '/readyz' ? status : 404, { connection: 'close' }).end()
  })
}

test('a proxy that is ready is healthy', async (t) => {
  const port = await listening(t, admin(200))
  assert.deepEqual(await health({ PROXY_ADMIN: `http://127.0.0.1:${port}` }), [0, 'HTTP/1.1 200 OK'])
})

test('an address that means all of this machine is asked on this machine', async (t) => {
  const port = await listening(t, admin(200), '0.0.0.0')
  assert.deepEqual(await health({ PROXY_ADMIN: `http://0.0.0.0:${port}` }), [0, 'HTTP/1.1 200 OK'])
})

test('a proxy that drains is not healthy', async (t) => {
  const port = await listening(t, admin(503))
  assert.deepEqual(await health({ PROXY_ADMIN: `http://127.0.0.1:${port}` }), [1, 'HTTP/1.1 503 Service Unavailable'])
})

test('nobody there is not healthy', async (t) => {
  const server = createServer()
  const port = await listening(t, server)
  server.close()
  const [code, told] = await health({ PROXY_ADMIN: `http://127.0.0.1:${port}` })
  assert.equal(code, 1)
  assert.match(told, /ECONNREFUSED/)
})

test('a proxy that does not answer is not healthy, and the check does not wait for ever', async (t) => {
  const held = createServer((socket) => void t.after(() => socket.destroy()))
  const port = await listening(t, held)
  assert.deepEqual(await health({ PROXY_ADMIN: `http://127.0.0.1:${port}` }), [1, 'no answer within 2500 ms'])
})

test('a proxy that closes without an answer is not healthy', async (t) => {
  const port = await listening(
    t,
    createServer((socket) => void socket.resume().end()),
  )
  assert.deepEqual(await health({ PROXY_ADMIN: `http://127.0.0.1:${port}` }), [1, 'closed without an answer'])
})

test('an IPv6 address is asked without its brackets', async (t) => {
  const port = await listening(t, admin(200), '::1')
  assert.deepEqual(await health({ PROXY_ADMIN: `http://[::1]:${port}` }), [0, 'HTTP/1.1 200 OK'])
})

test('without an admin server there is nobody to ask', async () => {
  assert.deepEqual(await health({ PROXY_ADMIN: 'off' }), [0, 'PROXY_ADMIN is off: nobody to ask'])
})

test('without PROXY_ADMIN it asks where the proxy listens by default', () => {
  assert.ok(readFileSync(HEALTH, 'utf8').includes(`DEFAULT_ADMIN = '${SETTINGS.admin.default}'`))
})
