/** The pure rig: plays a script to a `Dialogue`, without sockets. The time is the line number in the script. */
import { Dialogue } from '../../../proxy/dialogue/dialogue.ts'
import type { SessionEvent } from '../../../proxy/events/session-event.ts'
import type { AddressScope } from '../../../proxy/smtp/path.ts'
import { ReplyReader } from '../../../proxy/smtp/reply.ts'
import type { Script, Side, Step } from './dlg.ts'

/** Bytes that one side sends together. `at` is the number of their last line. */
export interface Segment {
  readonly side: Side
  readonly bytes: Buffer
  readonly at: number
}

/** A segment, or the FIN or RST of a side. */
export type Part = Segment | Extract<Step, { kind: 'end' }>

/** Splits the script into segments: `lines` = one per line; `coalesced` = consecutive lines of a side form one. */
export function segmentsOf(script: Script, how: 'lines' | 'coalesced'): Part[] {
  const parts: Part[] = []
  let flushed = false
  let waited = 0
  for (const step of script.steps) {
    const last = parts.at(-1)
    if (step.kind === 'flush') flushed = true
    if (step.kind === 'wait') waited += step.milliseconds
    if (step.kind === 'end') parts.push({ ...step, line: step.line + waited })
    if (step.kind !== 'write') continue
    const at = step.line + waited
    const joins = how === 'coalesced' && !flushed && last && 'bytes' in last && last.side === step.side
    if (joins) parts[parts.length - 1] = { side: step.side, bytes: Buffer.concat([last.bytes, step.bytes]), at }
    else parts.push({ side: step.side, bytes: step.bytes, at })
    flushed = false
  }
  return parts
}

/** Cuts the segments into single bytes. */
export function trickled(parts: readonly Part[]): Part[] {
  return parts.flatMap((part): Part[] =>
    'bytes' in part ? [...part.bytes].map((byte) => ({ ...part, bytes: Buffer.of(byte) })) : [part],
  )
}

/** Cuts the segments once more, before byte `position` of all bytes. */
export function cutAt(parts: readonly Part[], position: number): Part[] {
  let before = 0
  return parts.flatMap((part) => {
    if (!('bytes' in part)) return part
    const inside = position - before
    before += part.bytes.length
    if (inside <= 0 || inside >= part.bytes.length) return part
    return [
      { ...part, bytes: part.bytes.subarray(0, inside) },
      { ...part, bytes: part.bytes.subarray(inside) },
    ]
  })
}

/** The positions to cut at: all in a short script; in a long one, those near line ends and every `STRIDE` bytes. */
export function cutsOf(script: Script): number[] {
  const ends: number[] = []
  let total = 0
  for (const step of script.steps) {
    if (step.kind !== 'write') continue
    total += step.bytes.length
    ends.push(total)
  }
  const everywhere = Array.from({ length: Math.max(0, total - 1) }, (_, index) => index + 1)
  if (total <= SHORT) return everywhere
  const near = new Set(ends.flatMap((end) => Array.from({ length: 2 * SEAM }, (_, index) => end - SEAM + index)))
  return everywhere.filter((position) => near.has(position) || position % STRIDE === 0)
}

/** The largest script, in bytes, that is cut at every position. */
const SHORT = 4096
/** In a long script, every position within this distance of a line end is cut, in bytes. */
const SEAM = 8
/** The distance between the other cuts, in bytes. A prime number, so that the cuts hit different columns. */
const STRIDE = 997

/** Plays the segments to a new `Dialogue` and returns its events. */
export function observe(parts: readonly Part[], addresses: AddressScope = 'none'): SessionEvent[] {
  const events: SessionEvent[] = []
  const dialogue = new Dialogue((event) => events.push(event), addresses)
  const replies = new ReplyReader()
  let greeted = false
  const fromUpstream = (bytes: Buffer, at: number) =>
    replies.push(bytes, (reply) => {
      if (greeted) dialogue.reply(reply, at)
      else dialogue.greeting(reply, 0, at)
      greeted = true
    })
  for (const part of parts) {
    if (!('bytes' in part)) continue
    if (part.side === 'client') dialogue.client(part.bytes, part.at)
    else if (!dialogue.position.inSaslLayer) fromUpstream(part.bytes, part.at)
  }
  const end = parts.find((part) => 'kind' in part)
  if (end && 'kind' in end) dialogue.close(end.side, 'upstream_lost', end.line)
  return events
}
