/** Rig 1: a script played to the dialogue alone. No socket; the clock is the script's line number. */
import { Dialogue } from '../../proxy/dialogue/dialogue.ts'
import type { SessionEvent } from '../../proxy/events/session-event.ts'
import type { AddressScope } from '../../proxy/smtp/path.ts'
import { ReplyReader } from '../../proxy/smtp/reply.ts'
import type { Script, Side, Step } from './dlg.ts'

/** Octets that one side sent together. `at` is the number of their last line. */
export interface Segment {
  readonly side: Side
  readonly bytes: Buffer
  readonly at: number
}

/** A segment, or the end of one side. */
export type Part = Segment | Extract<Step, { kind: 'end' }>

/** The script as segments: `lines` = one a line; `coalesced` = what a side says without a pause is one. */
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

/** The segments cut into single octets. */
export function trickled(parts: readonly Part[]): Part[] {
  return parts.flatMap((part): Part[] =>
    'bytes' in part ? [...part.bytes].map((octet) => ({ ...part, bytes: Buffer.of(octet) })) : [part],
  )
}

/** The segments with one more cut, before the octet `position` of all octets. */
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

/** Where to cut: everywhere in a short script; in a long one near every line's ends and here and there between. */
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

/** Octets up to which every cut is tried. */
const SHORT = 4096
/** How near to a line's end every cut is tried in a long script. */
const SEAM = 8
/** How far apart the other cuts are. A prime, so that it meets different columns. */
const STRIDE = 997

/** Plays the segments to a new dialogue and returns what it said. */
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
    else if (!dialogue.wrapped) fromUpstream(part.bytes, part.at)
  }
  const end = parts.find((part) => 'kind' in part)
  if (end && 'kind' in end) dialogue.close(end.side, 'upstream_lost', end.line)
  return events
}
