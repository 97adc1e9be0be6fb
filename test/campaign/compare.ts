/**
 * Compares a plan's two paths. Where nothing depends on timing, the proxied path must show exactly what the direct path
 * showed, apart from the documented changes: EHLO replies, local replies, and incomplete replies, which the proxy
 * drops. Where timing decides how far both paths got (bytes in flight when a side disconnects), each path must show a
 * prefix of the plan, in complete replies.
 */
import { UNREACHABLE } from '../../proxy/session/local-replies.ts'
import { goesUp, isExact, type Plan, repliesTo, scriptOf } from './plan.ts'
import { quoted } from './plan-text.ts'
import type { Run } from './play.ts'
import { completeReplies } from './reply-bytes.ts'

/** The differences, one line each; empty when the paths agree. */
export function differences(plan: Plan, direct: Run, proxied: Run): string[] {
  const both = [direct, proxied].flatMap((run) => [...stuck(run), ...beginsAsPlanned(plan, run)])
  if (both.length > 0 || !isExact(plan)) return both
  return [
    ...sameBytesUp(plan, direct, proxied),
    ...sameReplies(plan, direct, proxied),
    ...sameEnds(plan, direct, proxied),
  ]
}

function stuck({ path, stuck }: Run): string[] {
  return stuck.map((what) => `${path}: ${what}`)
}

/** Everything that arrived must be a prefix of the plan. */
function beginsAsPlanned(plan: Plan, run: Run): string[] {
  const { up, down } = scriptOf(plan, run.path)
  const expected = isUnreachable(plan) && run.path === 'proxied' ? [UNREACHABLE.bytes] : down
  return [
    ...beginning(`${run.path}: the upstream received`, run.up, up),
    ...beginning(`${run.path}: the client read`, run.down, Buffer.concat(expected)),
    ...(run.path === 'proxied' ? noHalfReply(run) : []),
  ]
}

/**
 * The upstream disconnected before its complete greeting: the proxy sends a local reply, a direct client reads nothing.
 */
export function isUnreachable({ fault, greeting }: Plan): boolean {
  return fault?.side === 'upstream' && fault.reply === greeting.id && fault.when !== 'after'
}

function noHalfReply({ down }: Run): string[] {
  const { rest } = completeReplies(down)
  return rest.length === 0 ? [] : [`proxied: the client read an incomplete reply: ${quoted(rest)}`]
}

function sameBytesUp(plan: Plan, direct: Run, proxied: Run): string[] {
  const expected = withoutLocal(plan, direct.up)
  // documented: the proxy relays only complete command lines, so an unfinished one may be lost with the connection
  const unfinished = plan.fault?.side === 'client' && plan.fault.how !== 'half-close'
  const part = (up: Buffer) => (unfinished ? up.subarray(0, completeExchanges(plan, up.length)) : up)
  return part(proxied.up).equals(part(expected)) ? [] : different('the upstream received', proxied.up, expected)
}

/** The bytes of the complete exchanges among the first `length` bytes from the client. */
function completeExchanges(plan: Plan, length: number): number {
  let whole = 0
  for (const exchange of plan.groups.flat()) {
    if (!goesUp(exchange, 'proxied')) continue
    if (whole + exchange.bytes.length > length) break
    whole += exchange.bytes.length
  }
  return whole
}

/** What the upstream received directly, without the exchanges that the proxy answers with a local reply. */
function withoutLocal(plan: Plan, up: Buffer): Buffer {
  const kept: Buffer[] = []
  let at = 0
  for (const exchange of plan.groups.flat()) {
    if (!goesUp(exchange, 'direct')) continue
    const part = up.subarray(at, at + exchange.bytes.length)
    if (goesUp(exchange, 'proxied')) kept.push(part)
    at += exchange.bytes.length
  }
  return Buffer.concat(kept)
}

function sameReplies(plan: Plan, direct: Run, proxied: Run): string[] {
  const expected = isUnreachable(plan) ? UNREACHABLE.bytes : translated(plan, direct.down)
  return proxied.down.equals(expected) ? [] : different('the client read', proxied.down, expected)
}

/**
 * What a client of the proxy must read when a direct client read `down`: the same replies, with the documented changes.
 */
function translated({ greeting, groups, fault }: Plan, down: Buffer): Buffer {
  let left = completeReplies(down).replies.length
  const shown = left > 0 ? [greeting.bytes] : []
  let all = left > 0
  left -= 1
  for (const [index, group] of groups.entries()) {
    const leaves = fault?.side === 'client' && index >= fault.group
    for (const exchange of group) {
      // an upgrade has no reply on the direct path: it is reached once everything before it is answered
      if (exchange.upgrade) left += all && !leaves ? 1 : 0
      const here = repliesTo(exchange, 'proxied').slice(0, Math.max(0, left))
      shown.push(...here)
      all &&= here.length === repliesTo(exchange, 'proxied').length
      left -= here.length
    }
  }
  return Buffer.concat(shown)
}

function sameEnds(plan: Plan, direct: Run, proxied: Run): string[] {
  if (plan.fault === undefined && plan.endsFirst === 'proxy') return bothFin(proxied)
  if (isUnreachable(plan)) return proxied.clientSaw === 'fin' ? [] : [`proxied: the client saw ${proxied.clientSaw}`]
  return [
    ...end('the client saw', endForClient(plan, direct), proxied.clientSaw, plan.fault?.side !== 'client'),
    ...end('the upstream saw', direct.upstreamSaw, proxied.upstreamSaw, plan.fault?.side !== 'upstream'),
  ]
}

/**
 * Documented: after a 421, and after a refused chunk that others may follow, the proxy closes the client's connection
 * with a FIN, so that the client can read the reply. A reset could destroy it.
 */
function endForClient({ fault, groups }: Plan, { clientSaw, sent }: Run): Run['clientSaw'] {
  if (fault?.side !== 'upstream') return clientSaw
  const last = sent.at(-1)
  const inChunks = groups
    .flat()
    .some((one) => one.command === 'BDAT' && one.replies.some(({ id }) => id === fault.reply))
  const chunkRefused = inChunks && last?.command === 'BDAT' && last.code >= 400
  return chunkRefused || sent.some(({ code }) => code === 421) ? 'fin' : clientSaw
}

function bothFin({ clientSaw, upstreamSaw }: Run): string[] {
  return clientSaw === 'fin' && upstreamSaw === 'fin'
    ? []
    : [`proxied: ends: client ${clientSaw}, upstream ${upstreamSaw}`]
}

/** The end that a disconnecting side sees has no meaning. */
function end(what: string, direct: string | undefined, proxied: string | undefined, meaningful: boolean): string[] {
  return !meaningful || direct === proxied ? [] : [`${what}: directly ${direct}, through the proxy ${proxied}`]
}

function beginning(what: string, actual: Buffer, planned: Buffer): string[] {
  if (actual.length <= planned.length && planned.subarray(0, actual.length).equals(actual)) return []
  return different(what, actual, planned)
}

function different(what: string, actual: Buffer, expected: Buffer): string[] {
  let at = 0
  while (at < actual.length && at < expected.length && actual[at] === expected[at]) at += 1
  const from = Math.max(0, at - 40)
  const part = (bytes: Buffer) => `${quoted(bytes.subarray(from, at + 80))} (${bytes.length} bytes in total)`
  return [`${what}, different from byte ${at}:\n  actual:   ${part(actual)}\n  expected: ${part(expected)}`]
}
