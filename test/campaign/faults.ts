/** The fault of a session: which side disconnects, where, and how. */
import type { SeededRandom } from '../support/traffic/seeded-random.ts'
import { fillingOf } from './body.ts'
import type { Dialogue } from './dialogue.ts'
import type { ClientFault, Exchange, Group, Plan, Reply } from './plan.ts'

type Faulty = Pick<Plan, 'greeting' | 'groups' | 'fault'>

const HOWS = ['half-close', 'close', 'reset'] as const

/** Bytes of the line that ends a body. */
const END_LINE = 3

/** The dialogue with one fault, or unchanged where no fault fits. */
export function withFault(random: SeededRandom, dialogue: Dialogue): Faulty {
  const { greeting, groups } = dialogue
  if (random.chance(0.08)) return greetingFault(random, dialogue)
  if (groups.length === 0) return { greeting, groups }
  return random.chance(0.5)
    ? upstreamFault(random, dialogue)
    : { greeting, groups, fault: clientFault(random, dialogue) }
}

function greetingFault(random: SeededRandom, { greeting, groups }: Dialogue): Faulty {
  const fault = { side: 'upstream', reply: greeting.id, stallMs: stall(random), settled: true } as const
  const how = random.one(HOWS)
  if (random.chance(0.6)) return { greeting, groups, fault: { ...fault, how, when: random.one(['before', 'within']) } }
  return { greeting: refused(greeting), groups: [], fault: { ...fault, how: 'half-close', when: 'after' } }
}

/** The upstream disconnects at a reply, which may become a 421 or a refusal in the middle of a body. */
function upstreamFault(random: SeededRandom, { greeting, groups }: Dialogue): Faulty {
  const body = random.chance(0.3) ? largestBody(groups) : undefined
  const answered = groups.flat().filter((exchange) => !exchange.local)
  if (answered.length === 0) return { greeting, groups }
  const exchange = body ?? random.one(answered)
  const index = groups.findIndex((group) => group.includes(exchange))
  const when = body ? 'after' : random.one(['before', 'within', 'after', 'after'] as const)
  const inside = exchange.replies[0]!.after !== undefined
  const settled = !body && !inside && exchange === groups[index]!.at(-1) && random.chance(0.7)
  const fault = {
    side: 'upstream',
    reply: exchange.replies[0]!.id,
    stallMs: stall(random),
    how: random.one(HOWS),
  } as const
  const said = body ? early(random, body) : when === 'after' && random.chance(0.6) ? saying421(exchange) : exchange
  const last = (settled && when === 'after') || (said !== exchange && isDecisive(exchange))
  return {
    greeting,
    groups: replaced(groups, index, exchange, said, last),
    fault: { ...fault, when, settled },
  }
}

/**
 * The groups with one exchange replaced. With `last`, without the exchanges after it. Bytes that a client writes after
 * the reply race with the end of the connection, and a settled fault must have no such race.
 */
function replaced(groups: readonly Group[], index: number, old: Exchange, said: Exchange, last: boolean): Group[] {
  const whole = groups[index]!.map((one) => (one === old ? said : one))
  const group = last ? whole.slice(0, whole.indexOf(said) + 1) : whole
  return [...groups.slice(0, index), group, ...(last ? [] : groups.slice(index + 1))]
}

/**
 * True where the reply decides what follows: after a refused EHLO, AUTH or DATA the rest of the plan has another
 * meaning.
 */
function isDecisive({ command, replies }: Exchange): boolean {
  const { code } = replies[0]!
  return command === 'EHLO' || command === 'HELO' || (code >= 300 && code < 400)
}

/** A 421 in place of the reply. */
function saying421(exchange: Exchange): Exchange {
  return { ...exchange, replies: exchange.replies.map(refused) }
}

function largestBody(groups: readonly Group[]): Exchange | undefined {
  const bodies = groups.flat().filter(({ command, bytes }) => command === 'END-OF-MESSAGE' && bytes.length > 100)
  return bodies.toSorted((a, b) => b.bytes.length - a.bytes.length)[0]
}

/**
 * A refusal in the middle of a body. In half of the cases the body is so large that the client still writes when the
 * refusal arrives, and the socket buffers on the path cannot hold the rest.
 */
function early(random: SeededRandom, body: Exchange): Exchange {
  const filling = random.chance(0.5) ? fillingOf(random) : Buffer.alloc(0)
  const bytes = Buffer.concat([filling, body.bytes])
  const after = 1 + random.below(Math.min(bytes.length - 10, 200_000))
  const code = random.one([421, 421, 451, 552, 554])
  const replies = body.replies.map((reply) => ({ ...recoded(reply, code), after }))
  return { ...body, bytes, replies, payload: { from: 0, to: bytes.length - END_LINE } }
}

function refused(reply: Reply): Reply {
  return recoded(reply, 421)
}

/** The reply with the same stamp and another code. */
function recoded(reply: Reply, code: number): Reply {
  const { shown: _, ...rest } = reply
  const stamp = /r-\d+-\d+;/.exec(reply.bytes.toString('latin1'))![0]
  return { ...rest, code, bytes: Buffer.from(`${code} ${stamp} fault\r\n`) }
}

function clientFault(random: SeededRandom, { greeting, groups }: Dialogue): ClientFault {
  // prefer replies to messages: most sessions have more commands, but only messages can be lost
  const withMessage = groups.flatMap((group, index) => (group.some(({ payload }) => payload) ? [index] : []))
  const group = withMessage.length > 0 && random.chance(0.6) ? random.one(withMessage) : random.below(groups.length)
  const length = groups[group]!.reduce((sum, { bytes }) => sum + bytes.length, 0)
  // the proxy sends local replies at the end of a line, where an upstream may not reply
  const local = greeting.code !== 220 || groups[group]!.some((exchange) => exchange.local)
  const cut = random.one([0, length, length, random.below(length + 1), random.below(length + 1)])
  const bytes = local || isDropped(groups, group, cut) ? 0 : cut
  // exchanges after the end of a message may be answered before or after the proxy has dropped the upstream
  const unanswered =
    bytes === length && !groups[group]!.slice(0, -1).some(({ payload }) => payload) && random.chance(0.7)
  const how = unanswered && random.chance(0.3) ? 'reset' : random.one(HOWS)
  const replies = groups[group]!.reduce((sum, exchange) => sum + exchange.replies.length, 0)
  // the first reply to a closed connection brings an RST, which races with the next reply
  const early = groups[group]!.some((exchange) => exchange.replies.some(({ after }) => after !== undefined))
  const races = early || (how === 'close' && unanswered && replies > 1)
  const settled = bytes === 0 || (!races && random.chance(0.6))
  return { side: 'client', group, bytes, how, stallMs: stall(random), settled, unanswered }
}

/**
 * True for half a verb where the proxy still requires EHLO (RFC 3207 4.2): it answers the line itself, so it does not relay a
 * part of it. After its verb, half an EHLO is relayed.
 */
function isDropped(groups: readonly Group[], group: number, bytes: number): boolean {
  const seen = groups.slice(0, group).flat()
  const ehloOwed = seen.findLast((exchange) => exchange.upgrade || !exchange.local)?.upgrade ?? false
  return ehloOwed && bytes > 0 && bytes < 'EHLO'.length
}

function stall(random: SeededRandom): number {
  return random.chance(0.2) ? 1 + random.below(10) : 0
}
