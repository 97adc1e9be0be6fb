/**
 * `npm run rehearsal`: a rehearsal of incidents without Docker. It starts a simulated AhaSend with its control page, the
 * proxy, mail of a few apps and, if `npm run programs` has built them, Prometheus with the alerts and Alertmanager. Ctrl-C,
 * or the end of `--seconds N`, stops it with a summary. `--port N` is the port of the control page, `--log` prints the log
 * of the proxy to standard error. Exits with 0 when the proxy stopped cleanly.
 */
import { parseArgs } from 'node:util'
import { onSignals } from '../../app/signals.ts'
import { commandOf } from '../demo/programs.ts'
import { freePort, type ProxyChild, startProxy } from '../demo/proxy.ts'
import type { ControlLinks } from '../simulator/control/state.ts'
import { type Simulator, startSimulator } from '../simulator/simulator.ts'
import { CLIENTS } from './apps.ts'
import { AppsMail } from './apps-mail.ts'
import { monitoringMissing, startAlerting } from './monitoring.ts'
import { introduction, progress, summary } from './report.ts'

/** The usual port of the control page, as in Compose. */
const PAGE_PORT = 8025
/** The time between two lines of progress without a terminal. A terminal shows one line that changes each second. */
const LINE_EVERY_MS = 10_000

interface Flags {
  /** Infinity without `--seconds`. */
  readonly seconds: number
  /** Undefined: the usual port if it is free, otherwise any free port. */
  readonly port: number | undefined
  readonly log: boolean
}

/** Exits with code 2 when the arguments are invalid. */
function readFlags(): Flags {
  try {
    const { values } = parseArgs({
      options: { seconds: { type: 'string' }, port: { type: 'string' }, log: { type: 'boolean', default: false } },
    })
    const seconds = values.seconds === undefined ? Number.POSITIVE_INFINITY : Number(values.seconds)
    if (!(seconds > 0)) throw new RangeError(`--seconds must be a number above 0, got ${values.seconds}`)
    const port = values.port === undefined ? undefined : Number(values.port)
    if (port !== undefined && !(Number.isInteger(port) && port > 0 && port < 65_536))
      throw new RangeError(`--port must be a port, got ${values.port}`)
    return { seconds, port, log: values.log }
  } catch (error) {
    console.error(`${(error as Error).message}\nUsage: ${commandOf('rehearsal')} [--seconds N] [--port N] [--log]`)
    process.exit(2)
  }
}

const { seconds, port, log } = readFlags()

/**
 * Resolves when Ctrl-C is pressed, or when the program that reads the output has ended, such as `tee` or `head`. A second
 * Ctrl-C ends the rehearsal without a summary.
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

/** Starts everything in the order of dependence. What is started is stopped with `stack`. */
async function start(stack: AsyncDisposableStack) {
  const links: ControlLinks = {}
  const monitoring = monitoringMissing() === undefined ? stack.use(await startAlerting()) : undefined
  if (monitoring !== undefined) links.alertmanagerUrl = monitoring.alertmanagerUrl
  const httpPort = port ?? (await freePort(PAGE_PORT))
  const simulator = stack.use(await startSimulator({ httpPort, ledger: 'summary', links }))
  const apps = await AppsMail.prepare()
  const onLine = log ? (line: string) => console.error(line) : () => {}
  const settings: Record<string, string> = apps.named ? { PROXY_CLIENTS: CLIENTS } : {}
  const proxy = await startProxy(simulator.port, simulator.caFile, onLine, settings)
  links.statusUrl = `http://127.0.0.1:${proxy.adminPort}/`
  await monitoring?.watch(proxy.adminPort)
  apps.start(proxy.port)
  return { simulator, proxy, apps, monitoring }
}

/** Prints the progress. Returns a function that stops this. */
function watch(simulator: Simulator, apps: AppsMail): () => void {
  const began = Date.now()
  const { isTTY = false, columns = 120 } = process.stdout
  const show = () => {
    const line = progress(Date.now() - began, simulator.incidents, apps.accepted)
    process.stdout.write(isTTY ? `\r\u001b[K${line.slice(0, columns - 1)}` : `${line}\n`)
  }
  const timer = setInterval(show, isTTY ? 1000 : LINE_EVERY_MS)
  return () => {
    clearInterval(timer)
    if (isTTY) process.stdout.write('\r\u001b[K')
  }
}

/** Stops the apps and the proxy, prints the summary, and returns whether everything succeeded. */
async function conclude(simulator: Simulator, proxy: ProxyChild, apps: AppsMail): Promise<boolean> {
  console.log('Stopping: apps finish their messages, then the proxy stops.')
  await apps.stop()
  const code = await proxy.stop()
  await simulator.incidents.look()
  console.log(summary(simulator, apps))
  if (code !== 0) console.error(`The proxy did not stop cleanly: ${code}`)
  return code === 0
}

async function rehearsal(): Promise<boolean> {
  await using stack = new AsyncDisposableStack()
  const { simulator, proxy, apps, monitoring } = await start(stack)
  console.log(introduction({ simulator, proxy, named: apps.named, missing: monitoringMissing(), monitoring }))
  console.log(Number.isFinite(seconds) ? `Runs for ${seconds} seconds.\n` : 'Press Ctrl-C to stop.\n')
  const stopWatching = watch(simulator, apps)
  const exited = await Promise.race([interrupted, timeOver(), proxy.ended])
  stopWatching()
  if (exited === undefined) return await conclude(simulator, proxy, apps)
  console.error(`The proxy exited: ${exited}`)
  await apps.stop()
  return false
}

rehearsal().then(
  (clean) => {
    process.exitCode = clean ? 0 : 1
  },
  (error: Error) => {
    console.error(error.message)
    // what has started does not keep the process alive
    process.exit(1)
  },
)
