/** The proxy as a process before a simulator, and the clients that tests of its life need. */
import assert from 'node:assert/strict'
import { AUTH_PLAIN, ask, mail } from '../../simulator/client.ts'
import type { Simulator } from '../../simulator/simulator.ts'
import { connectClient, type Peer, startTls } from '../sockets/scripted-peers.ts'
import { type ProxyOptions, type ProxyProcess, startProxy } from './proxy-process.ts'

/** The proxy before the simulator. */
export function startBefore(
  simulator: Simulator,
  env: Readonly<Record<string, string>> = {},
  options: ProxyOptions = {},
): Promise<ProxyProcess> {
  const upstream = { PROXY_UPSTREAM: `smtp://localhost:${simulator.port}`, PROXY_UPSTREAM_CA_FILE: simulator.caFile }
  return startProxy({ ...upstream, ...env }, options)
}

/** So many clients that are logged in and between mails. */
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

/** Brings a client into the body of a mail. */
export async function inBody(client: Peer, name: string): Promise<void> {
  for (const line of mail({ from: `${name}@example.com` }).slice(0, 3))
    assert.match(await ask(client, line), /^(250|354) /)
  await client.send(`Subject: ${name}\r\n\r\nhalf of it\r\n`)
}

/** Dials at a time: where AhaSend has little patience, the handshakes of a hundred would take a slow machine too long. */
const AT_A_TIME = 10

/** So many connections of a pool that nobody uses, until AhaSend closes them. */
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

/** The first bytes of a TLS handshake (RFC 8446 4.1.2), as an application without STARTTLS sends them. */
const HELLO = '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'

/** An application that begins TLS on a plain listener, and is refused. */
export async function failTls(port: number, localAddress = '127.0.0.1'): Promise<void> {
  const client = await connectClient({ port, localAddress, limitMs: 20_000 })
  await client.send(HELLO)
  await client.closed()
  client.destroy()
}

/** An application that enters TLS and says EHLO. */
export async function enterTls(port: number, localAddress = '127.0.0.1'): Promise<void> {
  const client = await connectClient({ port, localAddress, limitMs: 20_000 })
  await client.readReply()
  await startTls(client, { rejectUnauthorized: false })
  await ask(client, 'EHLO app.example')
  client.destroy()
}

/** The status of a page of the admin server. */
export async function status(proxy: ProxyProcess, path: string): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${proxy.adminPort}${path}`)
  await response.text()
  return response.status
}

/** Nothing that Node warns of, no stack, no stray output. */
export function assertSilent(proxy: ProxyProcess): void {
  assert.equal(proxy.stderr, '')
  assert.deepEqual(
    proxy.lines.filter((line) => 'unparsed' in line || Number(line.level) >= 50 || line.level === 'error'),
    [],
  )
}
