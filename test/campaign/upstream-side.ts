/** The upstream's side of a plan: it counts bytes, replies when they have arrived, and disconnects at the fault. */
import { setTimeout as pause } from 'node:timers/promises'
import { playPreamble } from '../support/sockets/scripted-peers.ts'
import { SeededRandom } from '../support/traffic/seeded-random.ts'
import type { ClientSide } from './client-side.ts'
import {
  goesUp,
  type Path,
  type Plan,
  type Reply,
  relayed,
  repliesTo,
  type Script,
  scriptOf,
  securesUpstream,
} from './plan.ts'
import type { Ends } from './stage.ts'
import { arrived, Disconnected, finished, turns, writePieces } from './wire.ts'

/** More bytes than the socket buffers on the path can hold. */
const LARGE = 1_000_000

/** The upstream of one run. */
export class UpstreamSide {
  readonly #plan: Plan
  readonly #path: Path
  readonly #ends: Ends
  readonly #script: Script
  readonly #random: SeededRandom
  readonly #client: ClientSide
  /** The replies whose first bytes were written. */
  readonly #begun: Reply[] = []
  /** The number of bytes that the upstream wrote. */
  sentBytes = 0

  constructor(plan: Plan, path: Path, ends: Ends, client: ClientSide) {
    this.#plan = plan
    this.#path = path
    this.#ends = ends
    this.#script = scriptOf(plan, path)
    this.#random = new SeededRandom(plan.cuts.upstream)
    this.#client = client
  }

  /** Plays the whole script. Rejects when the connection ends earlier. */
  async run(): Promise<void> {
    await this.#greet()
    this.#client.upstreamListens = true
    const { due } = this.#script
    for (let next = 0; next < due.length; ) {
      const { after } = due[next]!
      if (after - this.#ends.upstream.log.length > LARGE || this.#random.chance(0.03)) await this.#rest()
      await this.#ends.upstream.received(after)
      if (this.#isUnanswered(after)) await this.#client.gone.then(() => turns(10))
      const count = this.#atOnce(next)
      await this.#reply(due.slice(next, next + count).map(({ reply }) => reply))
      next += count
    }
    await this.#end()
  }

  /** Reads nothing for some time, so that a large body fills the buffers on the path. */
  async #rest(): Promise<void> {
    this.#ends.upstream.pause()
    await pause(5 + this.#random.below(40))
    this.#ends.upstream.resume()
  }

  async #greet(): Promise<void> {
    const { greeting } = this.#plan
    const { upstream, upstreamContext } = this.#ends
    if (securesUpstream(this.#plan) && !this.#strikes(greeting)) {
      await playPreamble(upstream, { identity: upstreamContext, greeting: greeting.bytes.toString('latin1') })
      this.sentBytes += greeting.bytes.length
      return void this.#begun.push(greeting)
    }
    await this.#reply([greeting])
  }

  /** The number of due replies to send in one write. */
  #atOnce(from: number): number {
    const { due } = this.#script
    let count = 1
    while (
      due[from + count] !== undefined &&
      due[from + count]!.after <= this.#ends.upstream.log.length &&
      !this.#strikes(due[from + count]!.reply) &&
      !this.#strikes(due[from + count - 1]!.reply) &&
      this.#random.chance(0.5)
    )
      count += 1
    return count
  }

  /** The replies that were written completely. */
  get sent(): Reply[] {
    let end = 0
    return this.#begun.filter(({ bytes }) => {
      end += bytes.length
      return end <= this.sentBytes
    })
  }

  #strikes({ id }: Reply): boolean {
    const { fault } = this.#plan
    return fault?.side === 'upstream' && fault.reply === id
  }

  async #reply(replies: readonly Reply[]): Promise<void> {
    const { fault } = this.#plan
    const bytes = Buffer.concat(replies.map((reply) => reply.bytes))
    if (fault?.side !== 'upstream' || !replies.some((reply) => this.#strikes(reply))) {
      this.#begun.push(...replies)
      return await this.#write(bytes)
    }
    if (fault.when === 'after') {
      // unread client bytes make the kernel follow the close with RST
      if (fault.how === 'close' && !fault.settled) this.#ends.upstream.pause()
      this.#begun.push(...replies)
      await this.#write(bytes)
    }
    if (fault.when === 'within') await this.#write(bytes.subarray(0, bytes.length - 1 - (bytes.length >> 1)))
    await this.#fail()
  }

  async #fail(): Promise<never> {
    const { upstream } = this.#ends
    const { fault } = this.#plan
    if (fault?.side === 'upstream') {
      if (fault.settled) await arrived(this.#ends, () => this.#client.down.length >= this.#downSoFar())
      if (fault.stallMs > 0) await pause(fault.stallMs)
      if (fault.how === 'reset') await upstream.reset()
      else await finished(upstream, upstream.end())
      if (fault.how === 'close') upstream.destroy()
      if (fault.how === 'half-close') await upstream.closed()
    }
    throw new Disconnected()
  }

  /** The number of bytes that the client must have read: all up to the last complete reply. */
  #downSoFar(): number {
    const { greeting, groups } = this.#plan
    if (this.#begun.length === 0) return 0
    const count = this.#begun.length - 1
    let total = greeting.bytes.length
    let due = total
    let seen = 0
    for (const exchange of groups.flat()) {
      for (const bytes of repliesTo(exchange, this.#path)) {
        total += bytes.length
        if (goesUp(exchange, this.#path) && seen < count) {
          seen += 1
          due = total
        }
      }
    }
    return due
  }

  /** True for a reply to the group at which the client disconnects without reading replies. */
  #isUnanswered(after: number): boolean {
    const { fault, groups } = this.#plan
    if (fault?.side !== 'client' || !fault.unanswered) return false
    return after > relayed(groups.slice(0, fault.group).flat(), this.#path)
  }

  async #end(): Promise<void> {
    const { upstream } = this.#ends
    const { endsFirst, fault } = this.#plan
    const waits = endsFirst === 'client' || (endsFirst === 'proxy' && this.#path === 'proxied')
    if (waits || fault?.side === 'client') await upstream.closed()
    await finished(upstream, upstream.end())
  }

  #write(bytes: Buffer): Promise<void> {
    return writePieces(this.#ends.upstream, bytes, this.#random, (count) => {
      this.sentBytes += count
    })
  }
}
