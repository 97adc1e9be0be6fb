/** The client's side of a plan: it writes the groups, counts the replies, and disconnects at the fault. */
import { setTimeout as pause } from 'node:timers/promises'
import { SeededRandom } from '../support/traffic/seeded-random.ts'
import {
  completeExchanges,
  type Path,
  type Plan,
  relayed,
  relayedOfPayload,
  repliesTo,
  type Script,
  scriptOf,
  securesUpstream,
} from './plan.ts'
import type { Ends } from './stage.ts'
import { arrived, finished, writePieces } from './wire.ts'

/** The client of one run. */
export class ClientSide {
  readonly #plan: Plan
  readonly #path: Path
  readonly #ends: Ends
  readonly #script: Script
  readonly #random: SeededRandom
  readonly #gone = Promise.withResolvers<void>()
  /** What the client read before its current TLS layer. */
  #before = Buffer.alloc(0)
  /** True once the upstream reads the client's bytes. Until then its log contains the preamble. */
  upstreamListens = false
  /** The number of bytes that the client wrote. */
  written = 0

  constructor(plan: Plan, path: Path, ends: Ends) {
    this.#plan = plan
    this.#path = path
    this.#ends = ends
    this.#script = scriptOf(plan, path)
    this.#random = new SeededRandom(plan.cuts.client)
  }

  /** Resolves when the client has disconnected. */
  get gone(): Promise<void> {
    return this.#gone.promise
  }

  /** Records that the client has disconnected. */
  left(): void {
    this.#gone.resolve()
  }

  /** Plays the whole script. Rejects when the connection ends earlier. */
  async run(): Promise<void> {
    await this.#arrive()
    const { fault, groups, endsFirst } = this.#plan
    for (const [index, { bytes, replies, upgrade }] of this.#script.groups.entries()) {
      if (fault?.side === 'client' && fault.group === index) return await this.#leave(bytes.subarray(0, fault.bytes))
      await this.#write(bytes)
      const last = index === groups.length - 1
      if (last && endsFirst === 'client' && !fault && this.#quits())
        await finished(this.#ends.client, this.#ends.client.end())
      for (let left = replies; left > 0; left -= 1) await this.#ends.client.readReply()
      if (upgrade) await this.#secure()
    }
    if (endsFirst === 'client' && !fault) return await finished(this.#ends.client, this.#ends.client.end())
    await this.#ends.client.closed()
    await finished(this.#ends.client, this.#ends.client.end())
  }

  /** Plays up to the beginning of the plan: the greeting, and on the direct path TLS if the upstream offers it. */
  async #arrive(): Promise<void> {
    const { client } = this.#ends
    if (this.#path === 'proxied') {
      if (this.#plan.mode === 'smtps') await this.#secure()
      return void (await client.readReply())
    }
    const greeting = await client.readReply()
    if (!securesUpstream(this.#plan)) return
    await client.send('EHLO direct.example\r\n')
    await client.readReply()
    await client.send('STARTTLS\r\n')
    await client.readReply()
    await this.#secure()
    this.#before = Buffer.from(greeting, 'latin1')
  }

  async #secure(): Promise<void> {
    const { client, clientContext: secureContext } = this.#ends
    this.#before = Buffer.concat([this.#before, client.log.all])
    const secured = client.secureAsClient({ secureContext, servername: 'localhost' })
    // both ends of the handshake may fail
    client.tls?.on('error', () => {})
    await secured
  }

  /** True when the client sends QUIT and its FIN together. */
  #quits(): boolean {
    return this.#plan.reason === 'quit'
  }

  /** All bytes that the client has read, without the preamble of the direct path. */
  get down(): Buffer {
    return Buffer.concat([this.#before, this.#ends.client.log.all])
  }

  async #leave(bytes: Buffer): Promise<void> {
    const { client } = this.#ends
    const { fault } = this.#plan
    if (fault?.side !== 'client') return
    await this.#write(bytes)
    if (fault.settled) await this.#settle(bytes.length)
    if (fault.stallMs > 0) await pause(fault.stallMs)
    if (fault.how === 'reset') await client.reset()
    else await finished(client, client.end())
    if (fault.how === 'close') client.destroy()
    this.left()
    if (fault.how === 'half-close') await client.closed()
  }

  /** Waits until the complete exchanges among the last bytes have arrived, and their replies, unless withheld. */
  async #settle(bytes: number): Promise<void> {
    const { fault, groups } = this.#plan
    if (fault?.side !== 'client') return
    const whole = completeExchanges(groups[fault.group]!, bytes)
    const due = relayed([...groups.slice(0, fault.group).flat(), ...whole], this.#path)
    const begun = relayedOfPayload(groups[fault.group]!, bytes)
    if (!fault.unanswered) {
      const replies = whole.reduce((sum, exchange) => sum + repliesTo(exchange, this.#path).length, 0)
      for (let left = replies; left > 0; left -= 1) await this.#ends.client.readReply()
    }
    await arrived(this.#ends, () => this.upstreamListens && this.#ends.upstream.log.length >= due + begun)
  }

  #write(bytes: Buffer): Promise<void> {
    return writePieces(this.#ends.client, bytes, this.#random, (count) => {
      this.written += count
    })
  }
}
