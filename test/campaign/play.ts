/**
 * Plays a plan on one path. Both sides follow the script blindly: the client counts replies, the upstream counts bytes,
 * and neither interprets what it reads, so that no mistake of the proxy can be corrected or hidden by a clever peer.
 */
import type { SessionEvent } from '../../proxy/events/session-event.ts'
import type { Ending, Peer } from '../support/sockets/scripted-peers.ts'
import { ClientSide } from './client-side.ts'
import type { Plan, Reply, Way } from './plan.ts'
import type { Ends } from './stage.ts'
import { UpstreamSide } from './upstream-side.ts'
import { finished, Gone } from './wire.ts'

/** What one path looked like from both ends. */
export interface Run {
  readonly way: Way
  /** What the upstream received, without the preamble that is not the client's. */
  readonly up: Buffer
  /** What the client read, without the same preamble. */
  readonly down: Buffer
  /** Bytes that the client wrote. */
  readonly written: number
  /** The replies that the upstream sent whole, in order, and all its bytes. */
  readonly sent: readonly Reply[]
  readonly sentBytes: number
  /** How each side saw the other end first. */
  readonly clientSaw: Ending | undefined
  readonly upstreamSaw: Ending | undefined
  /** A wait that took too long, with the transcript. */
  readonly stuck: readonly string[]
  /** What the proxy reported. */
  readonly events: readonly SessionEvent[]
}

export async function play(plan: Plan, way: Way, ends: Ends): Promise<Run> {
  const player = new Player(plan, way, ends)
  try {
    return await player.run()
  } finally {
    ends.client.destroy()
    ends.upstream.destroy()
  }
}

class Player {
  readonly #plan: Plan
  readonly #way: Way
  readonly #ends: Ends
  readonly #client: ClientSide
  readonly #upstream: UpstreamSide
  readonly #stuck: string[] = []

  constructor(plan: Plan, way: Way, ends: Ends) {
    this.#plan = plan
    this.#way = way
    this.#ends = ends
    this.#client = new ClientSide(plan, way, ends)
    this.#upstream = new UpstreamSide(plan, way, ends, this.#client)
  }

  async run(): Promise<Run> {
    const { client, upstream } = this.#ends
    const sides = [this.#side('client', this.#client.run()), this.#side('upstream', this.#upstream.run())]
    await Promise.all(sides)
    const seen = { clientSaw: client.ending, upstreamSaw: upstream.ending }
    client.destroy()
    upstream.destroy()
    const events = await this.#ends.events().catch((error: Error) => this.#isStuck(error))
    const { sent, sentBytes } = this.#upstream
    const { down, written } = this.#client
    const up = upstream.log.all
    return { way: this.#way, up, down, written, sent, sentBytes, ...seen, stuck: this.#stuck, events }
  }

  /** Waits for one side's end. A connection that ended is an end, a wait that lasted too long is noted. */
  async #side(side: 'client' | 'upstream', run: Promise<void>): Promise<void> {
    const peer = this.#ends[side]
    try {
      await run
    } catch (error) {
      if (!(error instanceof Gone) && peer.ending === undefined) this.#isStuck(error as Error)
      await finished(peer, peer.end()).catch(() => {})
    }
    if (side === 'client') this.#client.left()
    await this.#ended(side, peer)
  }

  /** The other side ends too, so that nothing is on its way any more when the connections are dropped. */
  async #ended(side: 'client' | 'upstream', peer: Peer): Promise<void> {
    const { fault } = this.#plan
    if (fault?.side === side && fault.how !== 'half-close') return
    await peer.closed().catch((error: Error) => this.#isStuck(error))
  }

  #isStuck(error: Error): readonly SessionEvent[] {
    this.#stuck.push(error.message)
    return []
  }
}
