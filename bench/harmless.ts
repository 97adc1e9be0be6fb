/**
 * Can telemetry slow down mail? Measures the proxy in several variants: with default settings, with every message
 * traced to a good collector or to one of many faulty collectors, with scrapers that never read or never pause, and
 * with a stdout that is not read. Each variant runs next to a proxy without telemetry and a proxy with a good
 * collector. All three get messages in turn, at a fixed rate over persistent connections, in short interleaved rounds,
 * so that other load of the machine affects them equally. AhaSend is simulated with TLS and takes 20 ms per reply, 60
 * ms for the final reply. Each part has its own process.
 *
 *   nice node bench/harmless.ts [--rounds 10] [--seconds 2] [--rate 100] [--upstream-ms 20] [--only dead,again]
 *   nice node bench/harmless.ts --memory 60000 [--only good]
 *
 * Prints the latency of a message (from MAIL to its final reply), the ratios of its percentiles to those of the two
 * other proxies in the same rounds, CPU per message, and resident memory. The variant `no telemetry, again` shows the
 * noise. `--memory` sends this number of messages as fast as possible, and prints the memory of one variant: the first
 * whose name contains `--only`, or the one with a dead collector.
 */

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import net from 'node:net'
import { loadavg } from 'node:os'
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { residentMib } from '../test/support/processes/memory.ts'
import { median, rotated } from './compare/figures/statistics.ts'
import { freePort } from './compare/processes/ports.ts'
import { cpuUs, percentile } from './harmless-figures.ts'
import type { Order, Report } from './harmless-load.ts'
import { showProgress } from './progress.ts'
import { sum } from './rehearsal.ts'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '10' },
    seconds: { type: 'string', default: '2' },
    rate: { type: 'string', default: '100' },
    'upstream-ms': { type: 'string', default: '20' },
    only: { type: 'string', default: '' },
    memory: { type: 'string', default: '0' },
  },
})
const RATE = Number(values.rate)
const MAILS = Math.round(RATE * Number(values.seconds))
/** Messages until V8 has compiled the code. */
const WARM_UP = 2000

const COMPARES = Number(values.memory) === 0
const progress = COMPARES ? showProgress('rounds', Number(values.rounds)) : showProgress('mails', Number(values.memory))
const children: ChildProcess[] = []
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL')
})

function launch(
  main: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
  stdout: 'pipe' | 'ignore' = 'pipe',
) {
  const child = spawn(process.execPath, [main, ...args], { env, stdio: ['ignore', stdout, 'inherit'] })
  children.push(child)
  return child
}

async function firstLine(child: ChildProcess): Promise<unknown> {
  const [line] = (await once(createInterface(child.stdout!), 'line')) as [string]
  return JSON.parse(line)
}

/** The delay of AhaSend's replies; the final one takes longer. None for `--memory`. */
const PAUSE_MS = Number(values.memory) > 0 ? 0 : Number(values['upstream-ms'])
const PAUSES = { mail: PAUSE_MS, rcpt: PAUSE_MS, data: PAUSE_MS, 'end-of-message': 3 * PAUSE_MS }
const slowness = Object.entries(PAUSES).flatMap(([at, ms]) => (ms > 0 ? ['--fault', `slow-${ms}-at-${at}`] : []))
const simulator = launch('test/simulator/main.ts', ['--no-auth', '--summary', '--idle-timeout', '60m', ...slowness])
const { port: simulatorPort, caFile } = (await firstLine(simulator)) as { port: number; caFile: string }
const collectors = (await firstLine(launch('bench/harmless-collector.ts', []))) as Readonly<Record<string, string>>
const load = spawn(process.execPath, ['bench/harmless-load.ts'], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
children.push(load)
load.once('exit', (code) => process.exit(code ?? 1))

async function send(order: Order): Promise<Report> {
  load.send(order)
  const [report] = (await once(load, 'message')) as [Report]
  return report
}

/** One way to run the proxy. */
interface Variant {
  readonly name: string
  readonly env?: Readonly<Record<string, string>>
  /** True: stdout is not read. */
  readonly unread?: boolean
  /** Uses the admin port during a round. Returns a function that stops this. */
  readonly meanwhile?: (port: number) => () => void
}

const TRACED = {
  OTEL_TRACES_SAMPLER: 'always_on',
  OTEL_METRICS_EXPORTER: 'both',
  OTEL_LOGS_EXPORTER: 'otlp',
  OTEL_METRIC_EXPORT_INTERVAL: '5000',
}
const NONE = 'no telemetry'

function traced(name: string, url: string): Variant {
  return { name: `collector: ${name}`, env: { ...TRACED, OTEL_EXPORTER_OTLP_ENDPOINT: url } }
}

const SILENT = { OTEL_SDK_DISABLED: 'true', PROXY_LOG_LEVEL: 'silent' }

const VARIANTS: readonly Variant[] = [
  { name: `${NONE}, again`, env: SILENT },
  { name: 'default: metrics and log' },
  ...Object.entries(collectors).map(([name, url]) => traced(name, url)),
  traced('dead', 'http://127.0.0.1:1'),
  { name: 'scrapers that never read', meanwhile: neverRead },
  { name: 'a scraper without pause', meanwhile: withoutPause },
  { name: 'unread stdout', unread: true },
]

/** Opens 100 connections. Each is replaced when the proxy closes it. */
function neverRead(port: number): () => void {
  let over = false
  const sockets = new Set<net.Socket>()
  const open = () => {
    if (over) return
    const socket = net.connect(port, '127.0.0.1').pause()
    sockets.add(socket)
    socket.write('GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n')
    socket.on('error', () => {})
    socket.on('close', () => {
      sockets.delete(socket)
      open()
    })
  }
  for (let count = 0; count < 100; count += 1) open()
  return () => {
    over = true
    for (const socket of sockets) socket.destroy()
  }
}

function withoutPause(port: number): () => void {
  let over = false
  const scrape = async () => {
    while (!over) await page(port)
  }
  void scrape()
  return () => {
    over = true
  }
}

async function page(port: number): Promise<string> {
  return (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
}

interface Running extends Variant {
  readonly pid: number
  readonly port: number
  readonly adminPort: number
  readonly rounds: Round[]
}

/** The latencies of one round, of a proxy and the two next to it. */
interface Round {
  readonly own: readonly number[]
  readonly none: readonly number[]
  readonly good: readonly number[]
  /** CPU time per message, in microseconds. */
  readonly cpuUs: number
}

async function start(variant: Variant): Promise<Running> {
  const [port, adminPort] = [await freePort(), await freePort()]
  const child = launch('app/main.ts', [], {
    PATH: process.env.PATH,
    PROXY_LISTEN: `smtp://127.0.0.1:${port}`,
    PROXY_ADMIN: `http://127.0.0.1:${adminPort}`,
    PROXY_UPSTREAM: `smtp://localhost:${simulatorPort}`,
    PROXY_UPSTREAM_CA_FILE: caFile,
    PROXY_WARM_CONNECTIONS: '0',
    PROXY_IDLE_TIMEOUT: '60m',
    ...variant.env,
  })
  if (!variant.unread) child.stdout?.resume()
  while (!(await ready(adminPort))) await new Promise((again) => setTimeout(again, 50))
  return { ...variant, pid: child.pid!, port, adminPort, rounds: [] }
}

async function ready(port: number): Promise<boolean> {
  return fetch(`http://127.0.0.1:${port}/readyz`).then(
    ({ ok }) => ok,
    () => false,
  )
}

async function round(running: Running, none: Running, good: Running): Promise<void> {
  const stop = running.meanwhile?.(running.adminPort)
  const before = cpuUs(running.pid)
  // the first proxy of each turn waits a little longer, so the order rotates
  const ports = rotated([running.port, none.port, good.port], running.rounds.length)
  const { latencies } = await send({ ports, mails: MAILS, rate: RATE })
  const of = ({ port }: Running) => latencies[ports.indexOf(port)]!
  const cpu = (cpuUs(running.pid) - before) / MAILS
  running.rounds.push({ own: of(running), none: of(none), good: of(good), cpuUs: cpu })
  stop?.()
}

function show({ name, pid, rounds }: Running): void {
  const all = (who: 'own' | 'none' | 'good', part: number) =>
    percentile(
      rounds.flatMap((one) => one[who]),
      part,
    )
  const quotient = (who: 'none' | 'good', part: number) => (all('own', part) / all(who, part)).toFixed(3).padStart(8)
  const columns = [
    name.padEnd(28),
    all('own', 0.5).toFixed(1).padStart(7),
    all('own', 0.99).toFixed(1).padStart(7),
    quotient('none', 0.5),
    quotient('none', 0.99),
    quotient('good', 0.5),
    quotient('good', 0.99),
    median(rounds.map((one) => one.cpuUs))
      .toFixed(0)
      .padStart(8),
    residentMib(pid).toFixed(0).padStart(8),
  ]
  console.log(columns.join(' '))
}

async function compare(): Promise<void> {
  const wanted = values.only.split(',')
  const chosen = VARIANTS.filter(({ name }) => wanted.some((part) => name.includes(part)))
  const none = await start({ name: NONE, env: SILENT })
  const good = await start(traced('good', collectors.good!))
  const all = await Promise.all(chosen.map(start))
  await send({ ports: [none, good, ...all].map(({ port }) => port), mails: WARM_UP, rate: 0 })
  const loads = [loadavg()[0]!]
  for (let count = 0; count < Number(values.rounds); count += 1) {
    progress(count)
    // each round begins with another variant
    for (const one of rotated(all, count)) await round(one, none, good)
    loads.push(loadavg()[0]!)
  }
  const mails = `${values.rounds} rounds of ${MAILS} messages at ${RATE}/s to each of three proxies, upstream ${PAUSE_MS} ms`
  console.log(`${mails}; load ${loads.map((one) => one.toFixed(1)).join(' ')}\n`)
  console.log(`${''.padEnd(31)}latency, ms      to no telemetry   to a good collector   CPU  resident`)
  console.log(`${''.padEnd(31)}p50     p99      p50      p99      p50      p99       us       MiB`)
  for (const one of all) show(one)
}

async function watchMemory(mails: number): Promise<void> {
  const step = Math.min(10_000, mails)
  const wanted = values.only || 'collector: dead'
  const variant = VARIANTS.find(({ name }) => name.includes(wanted))
  if (!variant)
    throw new Error(`no variant contains ${wanted}; variants: ${VARIANTS.map(({ name }) => name).join('; ')}`)
  const running = await start(variant)
  console.log(variant.name)
  console.log('messages  resident MiB  heap MiB  lost spans  messages/s')
  for (let done = 0; done < mails; done += step) {
    const { seconds } = await send({ ports: [running.port], mails: step, rate: 0 })
    const text = await page(running.adminPort)
    const lost = sum(text, 'smtp_proxy_telemetry_lost_total', { telemetry_signal: 'traces' })
    const heap = sum(text, 'v8js_memory_heap_used_bytes') / 2 ** 20
    const columns = [
      String(done + step).padEnd(9),
      residentMib(running.pid).toFixed(1).padEnd(13),
      heap.toFixed(1).padEnd(9),
      String(lost).padEnd(11),
      (step / seconds).toFixed(0),
    ]
    console.log(columns.join(' '))
    progress(done + step)
  }
}

if (Number(values.memory) > 0) await watchMemory(Number(values.memory))
else await compare()
process.exit()
