/** The upstream's side of a plan: it counts bytes, replies when they have arrived, and leaves where the fault says so. */
import { setTimeout as pause } from 'node:timers/promises'
import { playPreamble } from '../support/sockets/scripted-peers.ts'
import { SeededRandom } from '../support/traffic/seeded-random.ts'
import type { ClientSide } from './client-side.ts'
import {
  goesUp,
  type Plan,
  type Reply,
  relayed,
  repliesTo,
  type Script,
  scriptOf,
  securesUpstream,
  type Way,
} from './plan.ts'
import type { Ends } from './stage.ts'
import { arrived, finished, Gone, turns, writePieces } from './wire.ts'

/** Bytes that the kernels on the way have no room for. */
const LARGE = 1_000_000

export class UpstreamSide {
  readonly #plan: Plan
  readonly #way: Way
  readonly #ends: Ends
  readonly #script: Script
  readonly #random: SeededRandom
  readonly #client: ClientSide
  /** Replies whose first bytes were written. */
  readonly #begun: Reply[] = []
  /** Bytes that the upstream wrote. */
  sentBytes = 0

  constructor(plan: Plan, way: Way, ends: Ends, client: ClientSide) {
    this.#plan = plan
    this.#way = way
    this.#ends = ends
    this.#script = scriptOf(plan, way)
    this.#random = new SeededRandom(plan.cuts.upstream)
    this.#client = client
  }

  /** Plays the script to its end. Rejects where the connection ends before. */
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

  /** Reads nothing for a while, so that a large body fills the buffers on the way. */
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

  /** How many replies that are due leave in one write. */
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

  /** The replies that were written whole. */
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
      // what the client still sends stays unread, and makes the kernel answer the close by RST
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
    throw new Gone()
  }

  /** Bytes that the client must have read: all up to the last reply that was sent whole. */
  #downSoFar(): number {
    const { greeting, groups } = this.#plan
    if (this.#begun.length === 0) return 0
    const count = this.#begun.length - 1
    let total = greeting.bytes.length
    let due = total
    let seen = 0
    for (const exchange of groups.flat()) {
      for (const bytes of repliesTo(exchange, this.#way)) {
        total += bytes.length
        if (goesUp(exchange, this.#way) && seen < count) {
          seen += 1
          due = total
        }
      }
    }
    return due
  }

  /** True for a reply to the group at which the client leaves unanswered. */
  #isUnanswered(after: number): boolean {
    const { fault, groups } = this.#plan
    if (fault?.side !== 'client' || !fault.unanswered) return false
    return after > relayed(groups.slice(0, fault.group).flat(), this.#way)
  }

  async #end(): Promise<void> {
    const { upstream } = this.#ends
    const { endsFirst, fault } = this.#plan
    const waits = endsFirst === 'client' || (endsFirst === 'proxy' && this.#way === 'proxied')
    if (waits || fault?.side === 'client') await upstream.closed()
    await finished(upstream, upstream.end())
  }

  #write(bytes: Buffer): Promise<void> {
    return writePieces(this.#ends.upstream, bytes, this.#random, (count) => {
      this.sentBytes += count
    })
  }
}
