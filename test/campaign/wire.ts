/** How a side writes: in pieces, with pauses, and without waiting for a closed connection. */
import { setTimeout as pause } from 'node:timers/promises'
import type { Peer } from '../support/sockets/scripted-peers.ts'
import type { SeededRandom } from '../support/traffic/seeded-random.ts'
import { type Ends, LIMIT_MS } from './stage.ts'

/** Thrown when a side stops because the other side has disconnected. It ends the script and is no failure. */
export class Disconnected extends Error {}

/** Writes in pieces of any size. `begun` is called with the bytes of each piece. Throws `Disconnected`. */
export async function writePieces(
  peer: Peer,
  bytes: Buffer,
  random: SeededRandom,
  begun: (count: number) => void,
): Promise<void> {
  for (const piece of pieces(bytes, random)) {
    if (peer.ending === 'reset') throw new Disconnected()
    begun(piece.length)
    await finished(peer, peer.send(piece))
    if (random.chance(0.3)) await turns(random.below(4))
    else if (random.chance(0.03)) await pause(1 + random.below(2))
  }
}

/** Waits until the written bytes have arrived, and a few turns longer, so that later events cannot overtake them. */
export async function arrived({ client, upstream }: Ends, done: () => boolean): Promise<void> {
  const deadline = performance.now() + LIMIT_MS
  while (!done() && client.ending === undefined && upstream.ending === undefined) {
    if (performance.now() > deadline) throw new Error(`written bytes did not arrive\n${client.transcript}`)
    await turns(1)
  }
  await turns(3)
}

/** Splits bytes: not at all, byte by byte, or at random places. */
function pieces(bytes: Buffer, random: SeededRandom): Buffer[] {
  if (bytes.length === 0) return []
  const kind = random.below(10)
  if (kind < 5) return [bytes]
  if (kind < 6 && bytes.length <= 200) return [...bytes].map((byte) => Buffer.of(byte))
  const cuts = Array.from({ length: 1 + random.below(bytes.length > 10_000 ? 30 : 6) }, () =>
    random.below(bytes.length),
  ).sort((a, b) => a - b)
  return [0, ...cuts]
    .map((from, index) => bytes.subarray(from, cuts[index] ?? bytes.length))
    .filter((one) => one.length > 0)
}

/** The interval of checks of a write, in milliseconds, and the number of checks on a connection that has ended. */
const LOOK_MS = 50
const LATE_LOOKS = 20

/**
 * Waits until a write is done. Throws `Disconnected` when it never will be: Node may not call back the writes of a
 * connection that the other side has ended. A stall of the machine counts as one check, however long it is.
 */
export async function finished(peer: Peer, write: Promise<void>): Promise<void> {
  let done = false
  const noted = write.finally(() => {
    done = true
  })
  for (let looks = 1; !done; looks += 1) {
    await within(LOOK_MS, noted)
    await (done || turns(3))
    if (done || looks < LATE_LOOKS) continue
    if (peer.ending !== undefined) throw new Disconnected()
    if (looks * LOOK_MS > LIMIT_MS) throw new Error(`${peer.name} could not write\n${peer.transcript}`)
  }
}

/** Waits for `work`, but no longer than the limit. */
async function within(ms: number, work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<void>((settle) => {
    timer = setTimeout(settle, ms)
  })
  await Promise.race([work, late]).finally(() => clearTimeout(timer))
}

/** Waits for this number of turns of the event loop. */
export async function turns(count: number): Promise<void> {
  for (let left = count; left > 0; left -= 1) await new Promise((turn) => setImmediate(turn))
}
