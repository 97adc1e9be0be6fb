/**
 * Sends a large message of 20,000,000 bytes many times over one connection, compares each body by SHA-256, and prints
 * the proxy's resident memory.
 *
 *   node bench/large.ts [--messages 100] [--bytes 20000000]
 *
 * Exits with 1 when a body differs.
 */
import { createHash, randomBytes } from 'node:crypto'
import { parseArgs } from 'node:util'
import { connectClient, type Peer } from '../test/support/sockets/scripted-peers.ts'
import { startRehearsal } from './rehearsal.ts'

const { values } = parseArgs({
  options: { messages: { type: 'string', default: '100' }, bytes: { type: 'string', default: '20000000' } },
})
const MESSAGES = Number(values.messages)
/** Messages until V8's heap and the allocator have reached their size. */
const WARM_UP = 25

/** An attachment in base64: lines of 76 characters. */
function attachment(bytes: number): Buffer {
  const line = () => `${randomBytes(57).toString('base64')}\r\n`
  const block = Array.from({ length: 1000 }, line).join('')
  const text = `Subject: large\r\n\r\n${block.repeat(Math.ceil(bytes / block.length))}`
  return Buffer.from(`${text.slice(0, bytes - 2).replaceAll('\r\n.', '\r\nx')}\r\n`)
}

async function ask(client: Peer, line: string): Promise<string> {
  await client.send(`${line}\r\n`)
  return client.readReply()
}

await using rehearsal = await startRehearsal()
const body = attachment(Number(values.bytes))
const wire = Buffer.concat([body, Buffer.from('.\r\n')])
const client = await connectClient({ port: rehearsal.proxy.port, limitMs: 60_000 })
await client.readReply()
await ask(client, 'EHLO app.example')

let peak = 0
async function send(count: number): Promise<void> {
  for (let left = count; left > 0; left -= 1) {
    for (const line of ['MAIL FROM:<a@example.com>', 'RCPT TO:<b@example.net>', 'DATA']) await ask(client, line)
    await client.send(wire)
    const reply = await client.readReply()
    if (!reply.startsWith('250')) throw new Error(reply)
    peak = Math.max(peak, rehearsal.residentMib())
  }
}

const cold = rehearsal.residentMib()
await send(WARM_UP)
const [before, cpuBefore] = [rehearsal.residentMib(), rehearsal.cpuMs()]
await send(MESSAGES)
const [after, cpu] = [rehearsal.residentMib(), rehearsal.cpuMs() - cpuBefore]
const megabytes = (MESSAGES * body.length) / 1e6
const { bodies } = await rehearsal.book()
const equal = bodies[createHash('sha256').update(body).digest('hex')] ?? 0
const mib = (value: number) => `${value.toFixed(1)} MiB`
console.log(`${equal} of ${MESSAGES + WARM_UP} bodies of ${body.length} bytes equal`)
console.log(
  `resident: ${mib(cold)} at start, ${mib(before)} after ${WARM_UP}, ${mib(after)} at the end, peak ${mib(peak)}`,
)
console.log(`growth over ${MESSAGES}: ${mib(after - before)}; CPU ${(cpu / megabytes).toFixed(2)} ms/MB`)
if (equal !== MESSAGES + WARM_UP) process.exitCode = 1
client.destroy()
