/** Prints a plan in the format of `.dlg` files (test/support/dialogues/dlg.ts), so that a failure can become one. */
import type { Exchange, Plan, Reply } from './plan.ts'

/** The number of bytes shown of one write. The middle of longer writes is left out. */
const SHOWN = 400

const SIDE = { client: 'C', upstream: 'S' } as const

/** The whole plan as text. */
export function textOf(plan: Plan): string {
  const { mode, upstreamTls, fault, endsFirst } = plan
  const head = [
    `## listener: ${mode === 'offered' ? 'starttls' : mode}`,
    `# upstream: ${upstreamTls ? 'TLS' : '?tls=off'}, client mode: ${mode}, cuts: ${JSON.stringify(plan.cuts)}`,
    ...(fault ? [`# fault: ${JSON.stringify(fault)}`] : []),
    '',
    ...replyLines(plan.greeting),
  ]
  const end = endsFirst === 'proxy' ? 'close P' : `close ${SIDE[endsFirst]}`
  const groups = plan.groups.flatMap((group, index) => [
    `# group ${index}`,
    ...group.flatMap((exchange) => writeLines(exchange)),
    ...group.flatMap((exchange) => answerLines(exchange)),
  ])
  return [...head, ...groups, end].join('\n')
}

function writeLines({ bytes, local }: Exchange): string[] {
  const kept = local ? '!' : ''
  return [line(`C${kept}`, bytes)]
}

function answerLines(exchange: Exchange): string[] {
  if (exchange.local) return [line('P', exchange.local.bytes)]
  return exchange.replies.flatMap((reply) => replyLines(reply))
}

function replyLines(reply: Reply): string[] {
  const early = reply.after === undefined ? [] : [`# sent after ${reply.after} bytes of what the client writes above`]
  if (!reply.shown) return [...early, line('S', reply.bytes)]
  return [...early, line('S!', reply.bytes), line('P', reply.shown)]
}

function line(operator: string, bytes: Buffer): string {
  const text = bytes.toString('latin1')
  if (/^[\x20-\x7e]*[\x21-\x7e]\r\n$/.test(text)) return `${operator} ${text.slice(0, -2)}`
  return `${operator}~ ${quoted(bytes)}`
}

/** Bytes as a JSON string in latin1, shortened. */
export function quoted(bytes: Buffer, shown = SHOWN): string {
  if (bytes.length <= shown) return JSON.stringify(bytes.toString('latin1'))
  const [head, tail] = [bytes.subarray(0, shown / 2), bytes.subarray(-shown / 2)]
  return `${quoted(head)} # ... ${bytes.length} bytes in total ... ${quoted(tail)}`
}
