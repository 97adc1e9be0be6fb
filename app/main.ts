/** Wiring and signals: the only file that knows all rooms. */

import { createLogger, framesOf, type LogOutput } from '../otel/export/logger.ts'
import { Log } from '../otel/records/log.ts'
import { createRecords } from '../otel/records/recorder.ts'
import { type Sdk, start } from '../otel/sdk.ts'
import { ignoredVariables, otelWarnings, unknownOtelVariables } from '../otel/settings/checks.ts'
import type { OtelSettings } from '../otel/settings/effective.ts'
import { describeOtel, parseOtel } from '../otel/settings/settings.ts'
import { OTEL_ROWS } from '../otel/settings/table.ts'
import packageJson from '../package.json' with { type: 'json' }
import { type Admin, startAdmin } from '../proxy/admin/admin.ts'
import { combine } from '../proxy/events/observer.ts'
import { watchLoop } from '../proxy/server/event-loop.ts'
import { fitDefault, openFilesNote, ownOpenFilesLimit } from '../proxy/server/fd-limit.ts'
import { type MailServer, startServer } from '../proxy/server/server.ts'
import { startWorkers, Workers } from '../proxy/server/workers.ts'
import { foreignVariables, misspelledVariables } from '../proxy/settings/checks.ts'
import type { Config, ListenAddress } from '../proxy/settings/config.ts'
import { helpText } from '../proxy/settings/help.ts'
import { describeConfig, parseConfig } from '../proxy/settings/settings.ts'
import { graceLeft } from '../proxy/settings/stop-grace.ts'
import { configWarnings } from '../proxy/settings/warnings.ts'
import { check } from './check.ts'
import { onSignals } from './signals.ts'
import { statusOf } from './status.ts'
import { WatchedCertificate } from './watched-certificate.ts'

const EXIT_DRAINED = 0
const EXIT_FAILED = 1
const EXIT_MISCONFIGURED = 2

/** How long the log may take to leave the process at the end. */
const FLUSH_MS = 1000

const COMMANDS = new Map<string, () => Promise<number> | number>([
  ['', run],
  ['check', runCheck],
  ['check-names', checkNames],
  ['--help', () => say(helpText(OTEL_ROWS))],
  ['--version', () => say(`${packageJson.version}\n`)],
])

async function runCheck(): Promise<number> {
  const settings = readSettings()
  if (!settings) return EXIT_MISCONFIGURED
  for (const warning of warningsOf(settings)) console.log(`warning: ${warning}`)
  return check(settings.config, (line) => console.log(line))
}

/** Looks at the names of variables alone: compose.yaml runs it where the whole settings file is the environment. */
function checkNames(): number {
  const misspelled = misspelledVariables(process.env)
  for (const mistake of misspelled) console.error(mistake)
  for (const warning of [...foreignVariables(process.env), ...unknownOtelVariables(process.env)])
    console.log(`warning: ${warning}`)
  return misspelled.length === 0 ? EXIT_DRAINED : EXIT_MISCONFIGURED
}

function say(text: string): number {
  process.stdout.write(text)
  return EXIT_DRAINED
}

/** All that the environment says, to this proxy and to OpenTelemetry. */
interface Settings {
  readonly config: Config
  readonly otel: OtelSettings
}

/** The settings, or undefined after all mistakes were told. */
function readSettings(): Settings | undefined {
  const proxy = parseConfig(process.env)
  const otel = parseOtel(process.env)
  if ('config' in proxy && 'settings' in otel) {
    return { config: fitDefault(proxy.config, process.env, ownOpenFilesLimit()), otel: otel.settings }
  }
  for (const parsed of [proxy, otel])
    for (const mistake of 'mistakes' in parsed ? parsed.mistakes : []) console.error(mistake)
  return undefined
}

/** What is allowed but most likely not meant. */
function warningsOf({ config, otel }: Settings): string[] {
  return [...foreignVariables(process.env), ...configWarnings(config), ...otelWarnings(otel, process.env)]
}

/** What is in effect, without secrets. */
function describe({ config, otel }: Settings) {
  const ignored = ignoredVariables(process.env)
  const effective = { ...describeConfig(config), ...describeOtel(otel) }
  return {
    version: packageJson.version,
    node: process.version,
    config: effective,
    ...(ignored.length > 0 && { ignored }),
  }
}

async function run(): Promise<number> {
  // one turn of the event loop: what app/entry.js heard while this was loaded ends it before anything listens
  await new Promise(setImmediate)
  const settings = readSettings()
  if (!settings) return EXIT_MISCONFIGURED
  const { config, otel } = settings
  let output: LogOutput | undefined
  const sdk = start({
    servers: [...new Set(config.upstreams.map(({ host }) => host))],
    listeners: config.listeners.map(({ url }) => url),
    clients: [...new Set(config.clients.map(({ name }) => name))],
    settings: otel,
    slowMs: config.slowMs,
    warn: (fields, message) => output?.logger.warn(fields, message),
  })
  output = createLogger({ level: config.logLevel, losses: sdk.losses, ...(sdk.emit && { emit: sdk.emit }) })
  const code = await new Appliance(settings, sdk, output).run()
  await output.flush(FLUSH_MS)
  return code
}

/** The running proxy: server, telemetry and admin server, from start to exit. */
class Appliance {
  readonly #settings: Settings
  readonly #output: LogOutput
  readonly #sdk: Sdk
  readonly #lines: Log
  readonly #startedAt = Date.now()
  #certificate: WatchedCertificate | undefined
  #server: MailServer | undefined
  #admin: Admin | undefined
  #stop: (code: number) => void = () => {}
  #opening: Promise<void> = Promise.resolve()
  /** Settled by a second signal. */
  readonly #hurry = Promise.withResolvers<void>()

  constructor(settings: Settings, sdk: Sdk, output: LogOutput) {
    this.#settings = settings
    this.#sdk = sdk
    this.#output = output
    this.#lines = new Log(output.logger, sdk.losses)
  }

  get #config() {
    return this.#settings.config
  }

  /** Resolves with the exit code. */
  async run(): Promise<number> {
    const stopped = new Promise<number>((settle) => {
      this.#stop = settle
    })
    this.#watchProcess()
    try {
      this.#opening = this.#open()
      await Promise.race([this.#opening, this.#hurry.promise])
      return await stopped
    } catch (error) {
      this.#log.fatal(error instanceof Error ? error.message : String(error))
      console.error(error instanceof Error ? error.message : String(error))
      return EXIT_FAILED
    } finally {
      await this.#close()
    }
  }

  get #log() {
    return this.#output.logger
  }

  async #open(): Promise<void> {
    const config = this.#config
    this.#log.info(describe(this.#settings), 'start')
    for (const warning of warningsOf(this.#settings)) this.#log.warn(warning)
    const note = openFilesNote(config, process.env, ownOpenFilesLimit())
    if (note) this.#log[note.level](note.facts, note.message)
    this.#loadCertificate()
    const { traces } = this.#sdk
    const options = {
      config,
      telemetry: combine(
        this.#sdk.telemetry,
        createRecords({ log: this.#lines, traces, recordAddresses: config.recordAddresses }),
      ),
      ...(this.#certificate && { certificate: this.#certificate.certificate }),
      lost: (listener: ListenAddress, error: Error) => {
        this.#log.fatal({ listener: listener.url, error: error.message }, 'listener lost')
        this.#stop(EXIT_FAILED)
      },
      acceptFailed: (listener: ListenAddress, error: Error) =>
        this.#log.error({ listener: listener.url, error: error.message }, 'connection not accepted'),
    }
    const { observeLoop } = this.#sdk.telemetry
    const server = await (config.workers === 1
      ? startServer(options)
      : startWorkers({ ...options, observeLoop, crashed: (error) => this.#crash(error) }))
    if (config.workers === 1) watchLoop((figures) => observeLoop(0, figures))
    this.#server = server
    this.#sdk.telemetry.observeLiveBytes(() => server.liveBytes())
    this.#sdk.telemetry.observeRefusedCuts(() => server.refusedCuts())
    await this.#openAdmin(server)
    for (const { listener, address, port } of server.bound) {
      this.#log.info({ listener: listener.url, address, port }, 'listening')
    }
  }

  async #openAdmin(server: MailServer): Promise<void> {
    const { admin } = this.#config
    if (!admin) return
    this.#admin = await startAdmin({
      ...admin,
      page: () => this.#sdk.page(),
      ready: () => (server.draining ? 'draining' : true),
      status: () => statusOf(server, this.#config, this.#startedAt),
    })
    this.#log.info({ listener: 'admin', address: admin.host, port: this.#admin.port }, 'listening')
  }

  #loadCertificate(): void {
    if (!this.#config.tls) return
    const { telemetry } = this.#sdk
    this.#certificate = new WatchedCertificate(this.#config.tls, this.#log, ({ notAfter }) => {
      telemetry.setListenerCertificate(notAfter)
      if (this.#server instanceof Workers) this.#server.refresh()
    })
    telemetry.setListenerCertificate(this.#certificate.certificate.notAfter)
  }

  #watchProcess(): void {
    onSignals({
      drain: (signal) => void this.#drain(signal),
      stop: (signal) => this.#stopAtOnce(signal),
      reload: () => this.#reload(),
    })
    // a bug: the state of the process is unknown, and a supervisor starts a new one faster than this one could mend itself
    process.on('uncaughtException', (error) => this.#crash(error))
    process.on('unhandledRejection', (error) => this.#crash(error))
  }

  #reload(): void {
    if (this.#certificate) void this.#certificate.reload()
    else this.#log.info('nothing to reload: there is no certificate')
  }

  #stopAtOnce(signal: NodeJS.Signals): void {
    this.#log.warn({ signal }, 'stopped immediately')
    this.#hurry.resolve()
    this.#stop(EXIT_FAILED)
  }

  async #drain(signal: NodeJS.Signals): Promise<void> {
    const began = performance.now()
    this.#log.info({ signal, sessions: this.#server?.activeSessions ?? 0 }, 'drain')
    // a listener that opens in this moment must be drained, too
    await Promise.allSettled([this.#opening])
    const cut = (await this.#server?.drain()) ?? 0
    if (cut > 0) {
      this.#log.warn({ cut }, 'sessions cut at the drain timeout')
      await this.#lastScrape(graceLeft(this.#config.stopGraceMs, began))
    }
    this.#stop(EXIT_DRAINED)
  }

  /** Messages that were cut are failures that no later process reports; nothing else is worth a longer stop. */
  async #lastScrape(limitMs: number): Promise<void> {
    const { disabled, metrics } = this.#settings.otel
    const scrape = disabled || !metrics.prometheus ? undefined : this.#admin?.nextScrape(limitMs)
    if (scrape) this.#log.info({ seconds: Math.ceil(limitMs / 100) / 10 }, 'waiting for a last scrape')
    await scrape
  }

  #crash(error: unknown): void {
    const stack = error instanceof Error ? framesOf(error) : []
    // the message may quote what a client sent; where it happened may not
    this.#log.fatal({ type: error instanceof Error ? error.name : typeof error, stack }, 'crash')
    this.#stop(EXIT_FAILED)
  }

  async #close(): Promise<void> {
    this.#certificate?.close()
    await this.#server?.close()
    await this.#admin?.close()
    this.#lines.flush()
    this.#log.info('stop')
    await Promise.race([this.#sdk.shutdown(), this.#hurry.promise])
  }
}

const command = COMMANDS.get(process.argv.slice(2).join(' '))
if (command) process.exitCode = await command()
else {
  console.error(`unknown arguments: ${process.argv.slice(2).join(' ')}\n\n${helpText(OTEL_ROWS)}`)
  process.exitCode = EXIT_MISCONFIGURED
}
// whatever a library left running must not keep a finished proxy alive
process.exit()
