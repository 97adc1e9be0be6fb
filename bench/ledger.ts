/**
 * Do the books balance? Sends messages with Postfix' smtp-source through the proxy to the simulated AhaSend. The counts
 * of the simulator's ledger and of the proxy's metrics must be equal, and so must the bodies (by SHA-256).
 *
 *   node bench/ledger.ts [--messages 100000] [--sessions 20]
 *
 * Runs twice: with one connection per message, and with persistent connections (`smtp-source -d`). Needs smtp-source
 * (Debian: postfix). Exits with 1 when a figure differs.
 */

import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { Summary } from '../test/simulator/ledger.ts'
import { temporaryDirectory } from '../test/support/files/temporary-files.ts'
import type { ProxyProcess } from '../test/support/processes/proxy-process.ts'
import { type Book, startRehearsal, sum } from './rehearsal.ts'

const { values } = parseArgs({
  options: { messages: { type: 'string', default: '100000' }, sessions: { type: 'string', default: '20' } },
})
const MESSAGES = Number(values.messages)

/** A message of 2 KB. smtp-source sends the file unchanged, without dot-stuffing, and an empty line after it. */
const BODY = `From: <a@example.com>\r\nTo: <b@example.net>\r\nSubject: books\r\n\r\n${'The books balance to the unit.\r\n'.repeat(60)}`

using temporary = temporaryDirectory('ledger-')
const folder = temporary.path
const bodyFile = join(folder, 'mail')
writeFileSync(bodyFile, BODY.replaceAll('\r\n', '\n'))
writeFileSync(join(folder, 'main.cf'), 'compatibility_level = 3.6\ninet_protocols = ipv4\n')

let failures = 0
for (const mode of [['-d'], []]) await balance(mode)
process.exitCode = failures === 0 ? 0 : 1

/** One run with its own simulator and proxy. */
async function balance(mode: readonly string[]): Promise<void> {
  await using rehearsal = await startRehearsal()
  const { proxy } = rehearsal
  const warmUp = Math.min(2000, MESSAGES)
  await send(proxy.port, warmUp, mode) // the warm-up counts in the books, too
  const before = rehearsal.residentMib()
  const took = await send(proxy.port, MESSAGES - warmUp, mode)
  const after = rehearsal.residentMib()
  await settled(proxy)
  console.log(
    `\nsmtp-source ${mode.join(' ') || '(one connection per message)'}: ${MESSAGES} messages, ${values.sessions} sessions`,
  )
  const rate = Math.round((MESSAGES - warmUp) / took)
  console.log(`${rate} messages/s, resident ${before.toFixed(1)} MiB after warm-up, ${after.toFixed(1)} MiB at the end`)
  compare(await rehearsal.book(), await proxy.metrics())
}

/** Sends messages. Returns the time in seconds. */
async function send(port: number, messages: number, mode: readonly string[]): Promise<number> {
  if (messages <= 0) return 0
  const started = performance.now()
  const args = [
    '-s',
    values.sessions,
    '-m',
    String(messages),
    '-F',
    bodyFile,
    '-f',
    'a@example.com',
    '-t',
    'b@example.net',
  ]
  const child = spawn('smtp-source', [...args, ...mode, `127.0.0.1:${port}`], {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, MAIL_CONFIG: folder },
  })
  const [code] = await once(child, 'exit')
  if (code !== 0) throw new Error(`smtp-source ended with ${code}`)
  return (performance.now() - started) / 1000
}

/** Waits until no session is active. */
async function settled(proxy: ProxyProcess): Promise<void> {
  while (sum(await proxy.metrics(), 'smtp_proxy_session_active') > 0) await new Promise((r) => setTimeout(r, 100))
}

function compare({ summary, bodies }: Book, page: string): void {
  const accepted = { smtp_transaction_outcome: 'accepted' }
  row('messages accepted', summary.messages.accepted, sum(page, 'smtp_proxy_transactions_total', accepted))
  row('messages sent', MESSAGES, summary.messages.received)
  row(
    'recipients',
    summary.recipients,
    sum(page, 'smtp_proxy_recipients_total', { smtp_recipient_verdict: 'accepted' }),
  )
  row('sessions', summary.sessions.opened, sum(page, 'smtp_proxy_session_duration_seconds_count', {}))
  row('bytes of bodies', summary.messages.octets, sum(page, 'smtp_proxy_message_size_bytes_sum', {}))
  row(
    'bytes to AhaSend',
    summary.received.tls,
    sum(page, 'smtp_proxy_io_bytes_total', { network_io_direction: 'transmit' }),
  )
  for (const { command, code, tls, count } of summary.replies) {
    if (!tls && command !== 'CONNECT') continue // the proxy's own preamble
    const labels = { smtp_command: command, smtp_reply_code: String(code), smtp_reply_origin: 'upstream' }
    row(`replies ${command} ${code}`, count, sum(page, 'smtp_proxy_replies_total', labels))
  }
  row('replies in total', repliesOf(summary), sum(page, 'smtp_proxy_replies_total', {}))
  const hash = createHash('sha256').update(`${BODY}\r\n`).digest('hex')
  row('bodies with the right hash', MESSAGES, bodies[hash] ?? 0)
}

function repliesOf(summary: Summary): number {
  return summary.replies
    .filter(({ tls, command }) => tls || command === 'CONNECT')
    .reduce((total, { count }) => total + count, 0)
}

function row(what: string, expected: number, seen: number): void {
  if (expected !== seen) failures += 1
  console.log(`${expected === seen ? 'equal ' : 'DIFFER'}  ${what.padEnd(32)} ${expected} ${seen}`)
}
