/** The proxy as a process in front of a simulator, and clients for tests of its lifecycle. */
import assert from 'node:assert/strict'
import { AUTH_PLAIN, ask, mail } from '../../simulator/client.ts'
import type { Simulator } from '../../simulator/simulator.ts'
import { connectClient, type Peer, startTls } from '../sockets/scripted-peers.ts'
import { type ProxyOptions, type ProxyProcess, startProxy } from './proxy-process.ts'

/** Starts the proxy in front of the simulator. */
export function startBefore(
  simulator: Simulator,
  env: Readonly<Record<string, string>> = {},
  options: ProxyOptions = {},
): Promise<ProxyProcess> {
  const upstream = { PROXY_UPSTREAM: `smtp://localhost:${simulator.port}`, PROXY_UPSTREAM_CA_FILE: simulator.caFile }
  return startProxy({ ...upstream, ...env }, options)
}

/** Connects `count` clients and logs them in. */
export async function loggedIn(proxy: Pick<ProxyProcess, 'port'>, count: number): Promise<Peer[]> {
  const clients = await Promise.all(
    Array.from({ length: count }, () => connectClient({ port: proxy.port, limitMs: 20_000 })),
  )
  for (const client of clients) {
    await client.readReply()
    await ask(client, 'EHLO app.example')
    assert.match(await ask(client, AUTH_PLAIN), /^235 /)
  }
  return clients
}

/** Sends a message up to the middle of its body. */
export async function inBody(client: Peer, name: string): Promise<void> {
  for (const line of mail({ from: `${name}@example.com` }).slice(0, 3))
    assert.match(await ask(client, line), /^(250|354) /)
  await client.send(`Subject: ${name}\r\n\r\nhalf of it\r\n`)
}

/** The number of concurrent dials. On a slow machine, a hundred handshakes would exceed a short idle limit. */
const AT_A_TIME = 10

/** Opens `count` connections like an idle pool, and waits until AhaSend closes them. */
export async function idleUntilClosed(port: number, count: number): Promise<void> {
  const clients: Peer[] = []
  try {
    while (clients.length < count) {
      const length = Math.min(AT_A_TIME, count - clients.length)
      clients.push(...(await Promise.all(Array.from({ length }, () => greeted(port)))))
    }
    for (const client of clients) assert.match(await client.readReply(), /^421 .* idle too long/)
  } finally {
    for (const client of clients) client.destroy()
  }
}

async function greeted(port: number): Promise<Peer> {
  const client = await connectClient({ port, limitMs: 20_000 })
  assert.match(await client.readReply(), /^220 /)
  return client
}

/** The first bytes of a TLS handshake (RFC 8446 4.1.2), as an app sends them that does not use STARTTLS. */
const HELLO = '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'

/** Begins TLS on a plain listener, like a misconfigured app. The proxy closes the connection. */
export async function failTls(port: number, localAddress = '127.0.0.1'): Promise<void> {
  const client = await connectClient({ port, localAddress, limitMs: 20_000 })
  await client.send(HELLO)
  await client.closed()
  client.destroy()
}

/** Starts TLS and sends EHLO, like an app. */
export async function enterTls(port: number, localAddress = '127.0.0.1'): Promise<void> {
  const client = await connectClient({ port, localAddress, limitMs: 20_000 })
  await client.readReply()
  await startTls(client, { rejectUnauthorized: false })
  await ask(client, 'EHLO app.example')
  client.destroy()
}

/** How long a proxy may take to exit, in milliseconds. Only a process that hangs takes longer. */
const EXIT_LIMIT_MS = 25_000

/** Stops a proxy and returns its exit code. Fails when that takes too long. */
export async function stopInTime(proxy: ProxyProcess): Promise<number | null> {
  const began = performance.now()
  const code = await proxy.stop()
  assert.ok(performance.now() - began < EXIT_LIMIT_MS, 'the proxy exits in time')
  return code
}

/** The HTTP status of a page of the admin server. */
export async function status(proxy: ProxyProcess, path: string): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${proxy.adminPort}${path}`)
  await response.text()
  return response.status
}

/** Asserts that the proxy printed no warning, no stack trace, no error and no output that is not JSON. */
export function assertSilent(proxy: ProxyProcess): void {
  assert.equal(proxy.stderr, '')
  assert.deepEqual(
    proxy.lines.filter((line) => 'unparsed' in line || Number(line.level) >= 50 || line.level === 'error'),
    [],
  )
}
