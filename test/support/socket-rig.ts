/**
 * Rig 2: a script played through the real proxy, by a scripted client and a scripted upstream. Byte equality both ways
 * is the first thing it asserts; how each side saw the other end is the second.
 */
import assert from 'node:assert/strict'
import { setTimeout as pause } from 'node:timers/promises'
import type { SessionEvent } from '../../proxy/events/session-event.ts'
import type { Script, Side, Step } from './dlg.ts'
import type { Stage } from './in-process.ts'
import { type Identity, type Peer, playPreamble } from './peers.ts'

/** The two ends of one script, connected to the proxy; the upstream has said nothing yet. */
export interface Ends {
  readonly client: Peer
  readonly upstream: Peer
  /** The upstream's certificate. */
  readonly identity: Identity
}

/** Plays the script to its end. Rejects, with the transcript of both sides, where the proxy did something else. */
export async function play(script: Script, ends: Ends): Promise<void> {
  const conversation = new Conversation(ends)
  const steps = await conversation.greet(script.steps, ends.identity)
  for (const step of steps) await conversation.perform(step)
  await conversation.finish()
}

/** Plays the script in a session of its own on the stage; returns all events of the session, once it has closed. */
export async function playOn(stage: Stage, script: Script): Promise<readonly SessionEvent[]> {
  const session = await stage.connect()
  try {
    await play(script, session)
    return await session.events()
  } finally {
    session.client.destroy()
    session.upstream.destroy()
  }
}

class Conversation {
  readonly #ends: Ends
  /** What each side has to read, in order. */
  readonly #owed: Record<Side, Buffer[]> = { client: [], upstream: [] }
  /** What one side is about to write as one segment. */
  #segment: { readonly side: Side; readonly bytes: Buffer[] } | undefined
  readonly #ended = new Map<Side, 'fin' | 'reset'>()

  constructor(ends: Ends) {
    this.#ends = ends
  }

  /** Plays the greeting, and behind a 220 the preamble; returns the steps that are left. */
  async greet(steps: readonly Step[], identity: Identity): Promise<Step[]> {
    const first = steps.findIndex((step) => step.kind === 'end' || (step.kind === 'write' && step.side === 'client'))
    const pieces = pieceWise(steps.slice(0, first))
    const last = pieces.pop() ?? Buffer.alloc(0)
    for (const piece of pieces) {
      await this.#ends.upstream.send(piece)
      await pause(1) // nobody shows that half a greeting arrived: give it a segment of its own
    }
    this.#owed.client.push(...pieces, last)
    const accepted = Buffer.concat([...pieces, last])
      .toString('latin1')
      .startsWith('220')
    if (accepted) await playPreamble(this.#ends.upstream, { identity, greeting: last.toString('latin1') })
    else await this.#ends.upstream.send(last)
    return steps.slice(first)
  }

  async perform(step: Step): Promise<void> {
    if (step.kind === 'write') return await this.#write(step.side, step.bytes, step.relayed)
    if (step.kind === 'proxy') return await this.#expectOwnWord(step.bytes)
    await this.#send()
    if (step.kind === 'flush') await this.#arrival()
    if (step.kind === 'wait') await pause(step.milliseconds)
    if (step.kind === 'end') await this.#end(step.side, step.how)
  }

  /** Asserts that everything arrived, that the ends were mirrored, and that nothing else came. */
  async finish(): Promise<void> {
    await this.#send()
    for (const [side, how] of this.#ended) await this.#mirrored(otherOf(side), how)
    for (const side of ['client', 'upstream'] as const) {
      if (!this.#ended.has(side)) await this.#ends[side].end()
    }
    for (const side of ['client', 'upstream'] as const) {
      if (this.#ended.get(side) !== 'reset') await this.#ends[side].closed()
      this.#sameBytes(side)
    }
  }

  async #write(side: Side, bytes: Buffer, relayed: boolean): Promise<void> {
    if (this.#segment?.side !== side) await this.#send()
    this.#segment ??= { side, bytes: [] }
    this.#segment.bytes.push(bytes)
    // who has reset the connection reads nothing any more
    if (relayed && this.#ended.get(otherOf(side)) !== 'reset') this.#owed[otherOf(side)].push(bytes)
  }

  /** Inside a reply of the upstream this is a changed line; else it is an answer, for which the client waits. */
  async #expectOwnWord(bytes: Buffer): Promise<void> {
    if (this.#segment?.side === 'client') await this.#send()
    this.#owed.client.push(bytes)
  }

  /** Writes the segment, when its writer has read all that it waited for. */
  async #send(): Promise<void> {
    const segment = this.#segment
    if (segment === undefined) return
    this.#segment = undefined
    const peer = this.#ends[segment.side]
    const bytes = Buffer.concat(segment.bytes)
    const before = this.#dueBefore(segment.side)
    if (this.#ended.get(otherOf(segment.side)) !== 'reset') await peer.received(before)
    await peer.send(bytes)
  }

  /** How much `side` must have read before it speaks: everything owed to it. */
  #dueBefore(side: Side): number {
    return this.#owed[side].reduce((sum, bytes) => sum + bytes.length, 0)
  }

  /** Both sides have read what can have arrived: of a reply, only what is whole. */
  async #arrival(): Promise<void> {
    await this.#ends.upstream.received(this.#dueBefore('upstream'))
    await this.#ends.client.received(wholeReplies(Buffer.concat(this.#owed.client)))
    await pause(1)
  }

  async #end(side: Side | 'proxy', how: 'fin' | 'reset'): Promise<void> {
    if (side === 'proxy') {
      for (const peer of [this.#ends.client, this.#ends.upstream]) await peer.closed()
      return
    }
    // an RST may overtake what was written before it
    if (how === 'reset') await this.#arrival()
    this.#ended.set(side, how)
    const peer = this.#ends[side]
    if (how === 'fin' && this.#ended.get(otherOf(side)) !== 'reset') await peer.received(this.#dueBefore(side))
    await (how === 'fin' ? peer.end() : peer.reset())
  }

  async #mirrored(side: Side, how: 'fin' | 'reset'): Promise<void> {
    if (this.#ended.get(side) === 'reset') return
    const { transcript, name } = this.#ends[side]
    assert.equal(await this.#ends[side].closed(), how, `${name} sees the other side's ${how}\n${transcript}`)
  }

  #sameBytes(side: Side): void {
    const { log, name, transcript } = this.#ends[side]
    const expected = Buffer.concat(this.#owed[side])
    const same = log.all.equals(expected)
    if (!same) assert.equal(log.all.toString('latin1'), expected.toString('latin1'), `${name} read\n${transcript}`)
  }
}

/** The octets of a greeting, one buffer for each part between `--`. */
function pieceWise(steps: readonly Step[]): Buffer[] {
  const pieces: Buffer[] = [Buffer.alloc(0)]
  for (const step of steps) {
    if (step.kind === 'flush') pieces.push(Buffer.alloc(0))
    if (step.kind === 'write') pieces.push(Buffer.concat([pieces.pop()!, step.bytes]))
  }
  return pieces
}

/** How many of these octets are whole replies: up to the last line that no other line continues. */
function wholeReplies(bytes: Buffer): number {
  let whole = 0
  for (let start = 0, lf = bytes.indexOf(0x0a); lf >= 0; start = lf + 1, lf = bytes.indexOf(0x0a, start)) {
    if (!/^\d{3}-/.test(bytes.subarray(start, start + 4).toString('latin1'))) whole = lf + 1
  }
  return whole
}

function otherOf(side: Side): Side {
  return side === 'client' ? 'upstream' : 'client'
}
