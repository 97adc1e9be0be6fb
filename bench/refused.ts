/**
 * Do refused connections affect the apps that the proxy serves? Two scenarios, each with its own proxy:
 *
 * leak: one app opens connections and closes none, above PROXY_MAX_SESSIONS_PER_CLIENT. The process can open 1,024
 * files.
 *
 * strangers: addresses outside PROXY_ALLOW connect, and send bytes as fast as they can.
 *
 *   nice node bench/refused.ts [--seconds 20] [--per-second 150] [--strangers 2000]
 *
 * Meanwhile another app sends one message after the other, each on a new connection, and /metrics is scraped.
 * Exits with 1 when a message or a scrape fails.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import net from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import type { ProxyOptions } from '../test/support/processes/proxy-process.ts'
import { startRehearsal } from './rehearsal.ts'
import { figuresOf, sendMessage, type Timed, timed } from './served.ts'

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '20' },
    'per-second': { type: 'string', default: '150' },
    strangers: { type: 'string', default: '2000' },
    /** Only in the child processes: the role, and the proxy's port. */
    play: { type: 'string' },
    port: { type: 'string' },
  },
})
const SECONDS = Number(values.seconds)
const LEAKING_APP = '127.0.0.2'
const STRANGER = '127.0.0.3'
const CHUNK = Buffer.alloc(64 * 1024, 'x\r\n')

interface Scenario {
  readonly role: 'leak' | 'strangers'
  readonly env: Readonly<Record<string, string>>
  readonly options: ProxyOptions
}

const SCENARIOS: readonly Scenario[] = [
  {
    role: 'leak',
    env: { PROXY_MAX_SESSIONS: '350', PROXY_MAX_SESSIONS_PER_CLIENT: '50' },
    options: { within: ['prlimit', '--nofile=1024:1024'] },
  },
  { role: 'strangers', env: { PROXY_ALLOW: '127.0.0.1' }, options: {} },
]

/** Opens connections at a rate and closes none. */
async function leak(port: number): Promise<void> {
  const every = 1000 / Number(values['per-second'])
  for (let at = performance.now(); ; at += every) {
    const socket = net.connect({ host: '127.0.0.1', port, localAddress: LEAKING_APP, allowHalfOpen: true })
    socket.on('error', () => {}).resume()
    await pause(Math.max(0, at + every - performance.now()))
  }
}

/** Sends bytes on each connection until the proxy closes it, and reports the number of bytes. */
function push(port: number): void {
  const sockets = new Set<net.Socket>()
  for (let count = 0; count < Number(values.strangers); count += 1) {
    const socket = net.connect({ host: '127.0.0.1', port, localAddress: STRANGER, allowHalfOpen: true })
    const more = () => {
      while (socket.writable && socket.write(CHUNK));
    }
    // not immediately: a proxy that reads fast would keep this process in one turn of its event loop
    socket
      .on('connect', more)
      .on('drain', () => setImmediate(more))
      .on('error', () => {})
    sockets.add(socket.resume())
  }
  const written = () => [...sockets].reduce((sum, { bytesWritten }) => sum + bytesWritten, 0)
  setInterval(() => process.send?.(written()), 200)
}

function start(role: string, port: number): ChildProcess {
  const args = [
    '--play',
    role,
    '--port',
    `${port}`,
    '--per-second',
    values['per-second'],
    '--strangers',
    values.strangers,
  ]
  return fork(new URL(import.meta.url), args)
}

/** The failures and times of these attempts. A failure sets the exit code. */
function summary(attempts: readonly Timed[]): string {
  const { failed, text } = figuresOf(attempts)
  if (failed > 0) process.exitCode = 1
  return text
}

async function play({ role, env, options }: Scenario): Promise<void> {
  await using rehearsal = await startRehearsal(env, options)
  const { proxy } = rehearsal
  await sendMessage(proxy.port)
  const cpu = rehearsal.cpuMs()
  const others = start(role, proxy.port)
  let pushed = 0
  others.on('message', (bytes) => {
    pushed = Number(bytes)
  })
  const messages: Timed[] = []
  const scrapes: Timed[] = []
  for (const end = performance.now() + SECONDS * 1000; performance.now() < end; await pause(50)) {
    messages.push(await timed(() => sendMessage(proxy.port)))
    if (messages.length % 5 === 0) scrapes.push(await timed(() => proxy.metrics()))
  }
  others.kill()
  await once(others, 'exit')
  const used = ((rehearsal.cpuMs() - cpu) / 1000).toFixed(1)
  const warned = proxy.lines.some(({ msg }) => /^file descriptor limit/.test(String(msg)))
  console.log(
    `${role}: ${(pushed / 1e9).toFixed(2)} GB sent, ${used} s of CPU, ${rehearsal.residentMib().toFixed(0)} MiB resident`,
  )
  console.log(`  messages: ${summary(messages)}`)
  console.log(`  scrapes: ${summary(scrapes)}`)
  console.log(`  descriptor limit warning in the log: ${warned ? 'yes' : 'no'}`)
}

if (values.play === 'leak') await leak(Number(values.port))
else if (values.play === 'strangers') push(Number(values.port))
else for (const scenario of SCENARIOS) await play(scenario)
