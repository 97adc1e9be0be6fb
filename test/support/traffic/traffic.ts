/** The same few hundred messages on each run, accepted and refused, and what the clients read: to compare runs. */
import assert from 'node:assert/strict'
import type { Telemetry } from '../../../proxy/events/observer.ts'
import { startServer } from '../../../proxy/server/server.ts'
import type { Config } from '../../../proxy/settings/config.ts'
import { AUTH_PLAIN, ask } from '../../simulator/client.ts'
import type { Simulator } from '../../simulator/simulator.ts'
import { configOf } from '../in-process/config.ts'
import { connectClient, type Peer } from '../sockets/scripted-peers.ts'

export interface Traffic {
  /** Concurrent sessions, and messages per session. */
  readonly sessions: number
  readonly mails: number
}

/** 300 messages in six sessions. */
export const SOME: Traffic = { sessions: 6, mails: 50 }

/** What the clients and AhaSend received in a run. */
export interface TrafficResult {
  /** All bytes that each client read, as latin1. Random ids are replaced. */
  readonly read: readonly string[]
  /** SHA-256 and final code of every body that AhaSend received, sorted. */
  readonly bodies: readonly string[]
}

/** Sends the traffic through `port` to the simulator, which must have no other clients meanwhile. */
export async function sendTraffic(
  port: number,
  simulator: Simulator,
  { sessions, mails }: Traffic,
): Promise<TrafficResult> {
  const { messages } = simulator.ledger
  const before = messages.length
  const names = Array.from({ length: sessions }, (_, index) => `app${index}`)
  const read = await Promise.all(names.map((name) => oneSession(port, name, mails)))
  const bodies = messages.slice(before).map(({ sha256, code }) => `${sha256} ${code}`)
  return { read, bodies: bodies.toSorted() }
}

/** The configuration of a proxy in front of this simulator, with one listener in plain text. It preconnects nothing. */
export function configBefore(simulator: Simulator): Config {
  return configOf({
    PROXY_LISTEN: 'smtp://127.0.0.1:0',
    PROXY_UPSTREAM: `smtp://localhost:${simulator.port}`,
    PROXY_UPSTREAM_CA_FILE: simulator.caFile,
    PROXY_WARM_CONNECTIONS: '0',
  })
}

/** Sends the traffic through a proxy in this process with this telemetry. */
export async function observed(simulator: Simulator, traffic: Traffic, telemetry: Telemetry): Promise<TrafficResult> {
  const proxy = await startServer({ config: configBefore(simulator), telemetry })
  try {
    return await sendTraffic(proxy.bound[0]!.port, simulator, traffic)
  } finally {
    await proxy.close()
  }
}

/** Sends the traffic through a proxy in this process without telemetry. */
export function unobserved(simulator: Simulator, traffic: Traffic): Promise<TrafficResult> {
  return observed(simulator, traffic, NO_TELEMETRY)
}

/** Receives events and does nothing. */
export const NO_TELEMETRY: Telemetry = { open: () => () => {}, dial() {}, observerFailed() {} }

async function oneSession(port: number, name: string, mails: number): Promise<string> {
  const client = await connectClient({ port, limitMs: 60_000 })
  await client.readReply()
  await ask(client, `EHLO ${name}.example`)
  await ask(client, AUTH_PLAIN)
  for (let number = 0; number < mails; number += 1) await oneMessage(client, name, number)
  await ask(client, 'QUIT')
  assert.equal(await client.closed(), 'fin')
  await client.end()
  return client.log.all.toString('latin1').replace(/[0-9a-f]{32}/g, '<id>')
}

/** Three messages in ten have a fault: MAIL, one recipient or the body is refused. One in three is pipelined. */
async function oneMessage(client: Peer, name: string, number: number): Promise<void> {
  const fault = number % 10 === 3 ? 'fault+552-at-end-of-message' : 'app'
  const [from, wrong] = number % 10 === 5 ? ['fault+521-at-mail', 'you'] : [fault, 'fault+553-at-rcpt']
  const to = number % 10 === 7 ? [wrong, 'you'] : ['you']
  const recipients = to.map((one) => `RCPT TO:<${one}@example.net>`)
  if (from === 'fault+521-at-mail') return void (await ask(client, `MAIL FROM:<${from}@example.com>`))
  const lines = [`MAIL FROM:<${from}@example.com>`, ...recipients, 'DATA']
  if (number % 3 === 0) {
    await client.send(lines.map((line) => `${line}\r\n`).join(''))
    for (const _ of lines) await client.readReply()
  } else for (const line of lines) await ask(client, line)
  await client.send(`${bodyOf(name, number)}.\r\n`)
  await client.readReply()
}

/** A unique body. Some bodies have lines that begin with dots, some have 60 KB. */
function bodyOf(name: string, number: number): string {
  const text = 'All of this arrives as it is.\r\n'.repeat(number % 16 === 1 ? 2000 : 20)
  const dots = number % 4 === 0 ? '..\r\n...dots\r\n' : ''
  return `Subject: mail ${number} of ${name}\r\nMessage-ID: <${number}@${name}.example>\r\n\r\n${text}${dots}`
}
