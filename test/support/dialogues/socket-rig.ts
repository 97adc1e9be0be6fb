/**
 * The socket rig: a scripted client and a scripted upstream play a script through the real proxy. The rig asserts that
 * each side received exactly the expected bytes, and that each side saw how the other side closed.
 */
import assert from 'node:assert/strict'
import { setTimeout as pause } from 'node:timers/promises'
import type { SessionEvent } from '../../../proxy/events/session-event.ts'
import type { Stage } from '../in-process/stage.ts'
import { type Identity, type Peer, playPreamble } from '../sockets/scripted-peers.ts'
import type { Script, Side, Step } from './dlg.ts'

/** The client and the upstream of one script, connected to the proxy. The upstream has not sent anything yet. */
export interface Ends {
  readonly client: Peer
  readonly upstream: Peer
  /** The upstream's certificate. */
  readonly identity: Identity
}

/** Plays the script to its end. If the proxy deviates from it, rejects with the transcript of both sides. */
async function play(script: Script, ends: Ends): Promise<void> {
  const conversation = new Conversation(ends)
  const steps = await conversation.greet(script.steps, ends.identity)
  for (const step of steps) await conversation.perform(step)
  await conversation.finish()
}

/** Plays the script in a new session on the stage. Returns all events of the session after it has closed. */
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
  /** What each side must receive, in order. */
  readonly #owed: Record<Side, Buffer[]> = { client: [], upstream: [] }
  /** What one side writes next, as one segment. */
  #segment: { readonly side: Side; readonly bytes: Buffer[] } | undefined
  readonly #ended = new Map<Side, 'fin' | 'reset'>()

  constructor(ends: Ends) {
    this.#ends = ends
  }

  /** Plays the greeting, and after a 220 the preamble. Returns the remaining steps. */
  async greet(steps: readonly Step[], identity: Identity): Promise<Step[]> {
    const first = steps.findIndex((step) => step.kind === 'end' || (step.kind === 'write' && step.side === 'client'))
    const pieces = pieceWise(steps.slice(0, first))
    const last = pieces.pop() ?? Buffer.alloc(0)
    for (const piece of pieces) {
      await this.#ends.upstream.send(piece)
      await pause(1) // no event shows that half a greeting arrived, so wait: each piece gets its own segment
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
    if (step.kind === 'proxy') return await this.#expectFromProxy(step.bytes)
    await this.#send()
    if (step.kind === 'flush') await this.#arrival()
    if (step.kind === 'wait') await pause(step.milliseconds)
    if (step.kind === 'end') await this.#end(step.side, step.how)
  }

  /** Asserts that everything arrived and nothing else, and that each side saw how the other side closed. */
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
    // a side that has reset the connection receives nothing more
    if (relayed && this.#ended.get(otherOf(side)) !== 'reset') this.#owed[otherOf(side)].push(bytes)
  }

  /** Expects a line that the proxy adds to a reply of the upstream, or a local reply, which the client waits for. */
  async #expectFromProxy(bytes: Buffer): Promise<void> {
    if (this.#segment?.side === 'client') await this.#send()
    this.#owed.client.push(bytes)
  }

  /** Writes the segment once its side has received everything that precedes it. */
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

  /** The number of bytes that `side` must have received before it writes. */
  #dueBefore(side: Side): number {
    return this.#owed[side].reduce((sum, bytes) => sum + bytes.length, 0)
  }

  /** Waits until both sides have received everything so far; the proxy relays only complete replies. */
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
    // an RST may overtake the bytes written before it
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

/** The bytes of a greeting, split at each `--`. */
function pieceWise(steps: readonly Step[]): Buffer[] {
  const pieces: Buffer[] = [Buffer.alloc(0)]
  for (const step of steps) {
    if (step.kind === 'flush') pieces.push(Buffer.alloc(0))
    if (step.kind === 'write') pieces.push(Buffer.concat([pieces.pop()!, step.bytes]))
  }
  return pieces
}

/** The number of bytes that form complete replies: everything up to the last final line. */
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
