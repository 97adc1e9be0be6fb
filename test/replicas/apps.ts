/** Real mail clients that send until they are stopped, and send a message again until it is accepted. */
import dns from 'node:dns'
import { mock } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { createTransport, type Transporter } from 'nodemailer'
import { DEFAULT_ACCOUNT } from '../simulator/simulator.ts'

/** One try to send a message. Its recipient is in no other try. */
export interface Try {
  readonly recipient: string
  readonly client: string
  /** `no reply`: the connection ended, so the app cannot know whether AhaSend has the message. */
  readonly result: 'accepted' | 'refused' | 'no reply'
  /** The reply, or why there is none. */
  readonly reason: string
  /** When it ended, in milliseconds since 1970. */
  readonly at: number
}

/** A message and its tries, in order. */
export interface Message {
  readonly tries: readonly Try[]
}

/** Where apps connect to: an address, or a name with several addresses. */
export interface Destination {
  readonly host: string
  readonly port: number
}

/** What the apps send, and where. */
export interface Options {
  readonly to: Destination
  /** Senders whose connections stay open, and as many that open a connection for each message. */
  readonly senders: number
  /** The time between two messages of a sender, in milliseconds. */
  readonly everyMs: number
  /** The addresses and names of the apps with persistent and with single connections. */
  readonly apps: Readonly<Record<'persistent' | 'single', App>>
}

/** Where an app connects from, and the name that the proxy should have for it. */
export interface App {
  readonly name: string
  readonly localAddress?: string
}

/** Apps with an address and a name each. */
export const NAMED = {
  persistent: { name: 'shop', localAddress: '127.0.0.2' },
  single: { name: 'billing', localAddress: '127.0.0.3' },
}

/**
 * Apps without a name: with an address of its own, a client tries only one address of the server
 * (https://nodejs.org/api/net.html, autoSelectFamily).
 */
export const UNNAMED = { persistent: { name: 'other' }, single: { name: 'other' } }

/** PROXY_CLIENTS for the named apps. */
export const PROXY_CLIENTS = Object.values(NAMED)
  .map(({ name, localAddress }) => `${name}=${localAddress}`)
  .join(',')

/** An app gives up after this number of tries: the message is lost. */
const MAX_TRIES = 20
/** Milliseconds until an app tries again. */
const RETRY_MS = 200

/** Apps that send from their creation until they are stopped. */
export class Apps {
  readonly messages: Message[] = []
  readonly #everyMs: number
  readonly #running: Promise<unknown>
  #stopped = false

  constructor({ to, senders, everyMs, apps: { persistent, single } }: Options) {
    this.#everyMs = everyMs
    const common = { ...to, auth: DEFAULT_ACCOUNT, ignoreTLS: true, allowInternalNetworkInterfaces: true }
    const pool = { ...common, pool: true, maxConnections: 1, maxMessages: 50 } as const
    const all = Array.from({ length: senders }, (_, index) => [
      this.#send(persistent, `p${index}`, createTransport({ ...pool, ...from(persistent) })),
      this.#send(single, `s${index}`, createTransport({ ...common, ...from(single) })),
    ])
    this.#running = Promise.all(all.flat())
  }

  /** Stops after the messages that are under way. */
  async stop(): Promise<void> {
    this.#stopped = true
    await this.#running
  }

  async #send({ name }: App, sender: string, transport: Transporter): Promise<void> {
    for (let number = 1; !this.#stopped; number += 1) {
      this.messages.push({ tries: await sendUntilAccepted(transport, name, `${sender}-${number}`) })
      await pause(this.#everyMs * (0.5 + Math.random()))
    }
    transport.close()
  }
}

function from({ localAddress }: App): { readonly localAddress?: string } {
  return localAddress === undefined ? {} : { localAddress }
}

async function sendUntilAccepted(transport: Transporter, client: string, name: string): Promise<Try[]> {
  const tries: Try[] = []
  while (tries.length < MAX_TRIES && tries.at(-1)?.result !== 'accepted') {
    if (tries.length > 0) await pause(RETRY_MS)
    const recipient = `${name}-try-${tries.length + 1}@example.net`
    const ended = await sendOnce(transport, recipient)
    tries.push({ recipient, client, ...ended, at: Date.now() })
  }
  return tries
}

async function sendOnce(transport: Transporter, to: string): Promise<Pick<Try, 'result' | 'reason'>> {
  try {
    const { response } = await transport.sendMail({ from: 'app@example.com', to, subject: to, text: 'Hello.' })
    return { result: 'accepted', reason: String(response).slice(0, 3) }
  } catch (error) {
    const { responseCode, code, command } = error as { responseCode?: number; code?: string; command?: string }
    if (responseCode !== undefined) return { result: 'refused', reason: `${responseCode}` }
    return { result: 'no reply', reason: `${code} ${command ?? ''}`.trim() }
  }
}

/**
 * Gives a name these addresses in this process, as the network of Compose does. Nodemailer asks once in five minutes, and
 * tries the addresses in random order until one accepts the connection.
 */
export function nameOf(host: string, addresses: readonly string[]): Disposable {
  const original = dns.Resolver.prototype.resolve4
  type Done = (error: Error | null, found: readonly string[]) => void
  const answer = function (this: dns.Resolver, name: string, done: Done) {
    if (name === host) setImmediate(done, null, addresses)
    else Reflect.apply(original, this, [name, done])
  }
  const { mock: mocked } = mock.method(dns.Resolver.prototype, 'resolve4', answer as never)
  return { [Symbol.dispose]: () => mocked.restore() }
}
