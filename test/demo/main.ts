/**
 * A demo that needs no account: a simulated AhaSend, the proxy, and steady mail with many kinds of faults. Ctrl-C, or
 * the end of `--seconds N`, stops it with a summary. Exits with 0 when messages were accepted and the proxy stopped
 * cleanly. With `--log`, the proxy's log goes to standard error. With OTEL_EXPORTER_OTLP_ENDPOINT, all traces are
 * exported there.
 */
import { parseArgs } from 'node:util'
import { onSignals } from '../../app/signals.ts'
import { seededRandom } from '../simulator/random.ts'
import { type Simulator, startSimulator } from '../simulator/simulator.ts'
import { type Mail, startMail } from './mail.ts'
import { parseMetrics, type Sample } from './metrics.ts'
import { commandOf } from './programs.ts'
import { type ProxyChild, startProxy } from './proxy.ts'
import { line, messages, report } from './report.ts'

/** Shorter than AhaSend's 60 s, so that even a short demo shows the idle 421. */
const IDLE_MS = 5000

interface Flags {
  /** Infinity without `--seconds`. */
  readonly seconds: number
  readonly log: boolean
}

/** Exits with code 2 when the arguments are invalid. */
function readFlags(): Flags {
  try {
    const { values } = parseArgs({ options: { seconds: { type: 'string' }, log: { type: 'boolean', default: false } } })
    const seconds = values.seconds === undefined ? Number.POSITIVE_INFINITY : Number(values.seconds)
    if (seconds > 0) return { seconds, log: values.log }
    throw new RangeError(`--seconds must be a number above 0, got ${values.seconds}`)
  } catch (error) {
    console.error(`${(error as Error).message}\nUsage: ${commandOf('demo')} [--seconds N] [--log]`)
    process.exit(2)
  }
}

const { seconds, log } = readFlags()

/**
 * Resolves when Ctrl-C is pressed, or when the program that reads the output has ended, such as `head`. A second Ctrl-C ends
 * the demo without a summary.
 */
const interrupted = new Promise<void>((resolve) => {
  onSignals({ drain: () => resolve(), stop: () => process.exit(1), reload: () => resolve() })
  process.stdout.on('error', () => resolve())
})

/** Resolves when the time is over, or never without `--seconds`. */
function timeOver(): Promise<void> {
  return new Promise((resolve) => {
    if (Number.isFinite(seconds)) setTimeout(resolve, seconds * 1000).unref()
  })
}

function introduce(simulator: Simulator, proxy: ProxyChild): void {
  console.log(`proxy              smtp://127.0.0.1:${proxy.port} (user app, password secret)`)
  console.log(
    `metrics            http://127.0.0.1:${proxy.adminPort}/metrics (status: http://127.0.0.1:${proxy.adminPort}/)`,
  )
  console.log(
    `simulated AhaSend  http://127.0.0.1:${simulator.httpPort}/ (control page; idle limit ${IDLE_MS / 1000} s)`,
  )
  console.log(Number.isFinite(seconds) ? `\nRuns for ${seconds} seconds.` : '\nPress Ctrl-C to stop.')
}

/** Prints a line per second. Returns a function that stops this. */
function watch(proxy: ProxyChild): () => void {
  const start = Date.now()
  let before: readonly Sample[] = []
  const look = async () => {
    const samples = parseMetrics(await proxy.metrics())
    console.log(line(Math.round((Date.now() - start) / 1000), samples, before))
    before = samples
  }
  const timer = setInterval(
    () => void look().catch((error: Error) => console.error(`no metrics: ${error.message}`)),
    1000,
  )
  return () => clearInterval(timer)
}

/** Stops the apps, prints the summary, stops the proxy, and returns whether everything succeeded. */
async function conclude(simulator: Simulator, proxy: ProxyChild, mail: Mail): Promise<boolean> {
  await mail.stop()
  const samples = parseMetrics(await proxy.metrics())
  console.log(`\n${report(samples, mail.tally, simulator.ledger.summary())}`)
  const code = await proxy.stop()
  if (code !== 0) console.error(`The proxy did not stop cleanly: ${code}`)
  if (mail.tally.accepted === 0 || messages(samples) === 0) console.error('No message was accepted.')
  return code === 0 && mail.tally.accepted > 0 && messages(samples) > 0
}

async function demo(simulator: Simulator): Promise<boolean> {
  const proxy = await startProxy(simulator.port, simulator.caFile, log ? (line) => console.error(line) : () => {})
  introduce(simulator, proxy)
  const mail = startMail({ host: '127.0.0.1', port: proxy.port }, seededRandom(1))
  const stopWatching = watch(proxy)
  const exited = await Promise.race([interrupted, timeOver(), proxy.ended])
  stopWatching()
  if (exited === undefined) return await conclude(simulator, proxy, mail)
  console.error(`The proxy exited: ${exited}`)
  await mail.stop()
  return false
}

async function main(): Promise<void> {
  await using simulator = await startSimulator({
    seed: 1,
    idleMs: IDLE_MS,
    ledger: 'summary',
    faults: { 'load-shedding': { probability: 0.03 } },
  })
  process.exitCode = (await demo(simulator)) ? 0 : 1
}

void main()
