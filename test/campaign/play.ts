/**
 * Plays a plan on one path. Both sides follow the script blindly: the client counts replies, the upstream counts bytes,
 * and neither interprets what it reads, so that no peer can correct or hide a mistake of the proxy.
 */
import type { SessionEvent } from '../../proxy/events/session-event.ts'
import type { Ending, Peer } from '../support/sockets/scripted-peers.ts'
import { ClientSide } from './client-side.ts'
import type { Path, Plan, Reply } from './plan.ts'
import type { Ends } from './stage.ts'
import { UpstreamSide } from './upstream-side.ts'
import { Disconnected, finished } from './wire.ts'

/** What both ends received on one path. */
export interface Run {
  readonly path: Path
  /** What the upstream received, without the proxy's own preamble. */
  readonly up: Buffer
  /** What the client read, without the preamble of the direct path. */
  readonly down: Buffer
  /** Bytes that the client wrote. */
  readonly written: number
  /** The replies that the upstream sent completely, in order, and the number of all its bytes. */
  readonly sent: readonly Reply[]
  readonly sentBytes: number
  /** How each side saw the other side close. */
  readonly clientSaw: Ending | undefined
  readonly upstreamSaw: Ending | undefined
  /** Waits that took too long, with the transcript. */
  readonly stuck: readonly string[]
  /** What the proxy reported. */
  readonly events: readonly SessionEvent[]
}

/** Plays a plan on one path. Resolves when both connections are closed. */
export async function play(plan: Plan, path: Path, ends: Ends): Promise<Run> {
  const player = new Player(plan, path, ends)
  try {
    return await player.run()
  } finally {
    ends.client.destroy()
    ends.upstream.destroy()
  }
}

class Player {
  readonly #plan: Plan
  readonly #path: Path
  readonly #ends: Ends
  readonly #client: ClientSide
  readonly #upstream: UpstreamSide
  readonly #stuck: string[] = []

  constructor(plan: Plan, path: Path, ends: Ends) {
    this.#plan = plan
    this.#path = path
    this.#ends = ends
    this.#client = new ClientSide(plan, path, ends)
    this.#upstream = new UpstreamSide(plan, path, ends, this.#client)
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
    return { path: this.#path, up, down, written, sent, sentBytes, ...seen, stuck: this.#stuck, events }
  }

  /**
   * Waits until one side has finished. A connection that has ended counts as finished; a wait that is too long is
   * recorded.
   */
  async #side(side: 'client' | 'upstream', run: Promise<void>): Promise<void> {
    const peer = this.#ends[side]
    try {
      await run
    } catch (error) {
      if (!(error instanceof Disconnected) && peer.ending === undefined) this.#isStuck(error as Error)
      await finished(peer, peer.end()).catch(() => {})
    }
    if (side === 'client') this.#client.left()
    await this.#ended(side, peer)
  }

  /** Ends the other side, too, so that no bytes are in flight when the connections are closed. */
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
