/** Wiring and signals: the only file that knows all rooms. */

import { createLog, createLogger, type LogOutput } from '../otel/log.ts'
import { type Sdk, start } from '../otel/sdk.ts'
import packageJson from '../package.json' with { type: 'json' }
import { type Admin, startAdmin } from './admin.ts'
import { type ListenerCertificate, loadCertificate, type RefreshResult } from './certificate.ts'
import { CHANGES } from './changes.ts'
import { check } from './check.ts'
import { type Config, configWarnings, describeConfig, helpText, type ListenAddress, parseConfig } from './config.ts'
import { combine } from './events.ts'
import { type MailServer, startServer } from './server.ts'
import type { Status } from './status-page.ts'
import { startWorkers, Workers } from './workers.ts'

const EXIT_DRAINED = 0
const EXIT_FAILED = 1
const EXIT_MISCONFIGURED = 2

/** How often the certificate's files are looked at. */
const CERTIFICATE_CHECK_MS = 5000
/** How long the log may take to leave the process at the end. */
const FLUSH_MS = 1000

const COMMANDS: Readonly<Record<string, () => Promise<number> | number>> = {
  '': run,
  check: async () => {
    const config = readConfig()
    return config ? check(config, (line) => console.log(line)) : EXIT_MISCONFIGURED
  },
  '--help': () => say(helpText()),
  '--version': () => say(`${packageJson.version}\n`),
}

function say(text: string): number {
  process.stdout.write(text)
  return EXIT_DRAINED
}

/** The configuration, or undefined after all mistakes were told. */
function readConfig(): Config | undefined {
  const parsed = parseConfig(process.env)
  if ('config' in parsed) return parsed.config
  for (const mistake of parsed.mistakes) console.error(mistake)
  return undefined
}

async function run(): Promise<number> {
  const config = readConfig()
  if (!config) return EXIT_MISCONFIGURED
  const output = createLogger({ level: config.logLevel })
  const appliance = new Appliance(config, output)
  const code = await appliance.run()
  await output.flush(FLUSH_MS)
  return code
}

/** The running proxy: server, telemetry and admin server, from start to exit. */
class Appliance {
  readonly #config: Config
  readonly #output: LogOutput
  readonly #sdk: Sdk
  readonly #startedAt = Date.now()
  #certificate: ListenerCertificate | undefined
  #server: MailServer | undefined
  #admin: Admin | undefined
  #signals = 0
  #stop: (code: number) => void = () => {}

  constructor(config: Config, output: LogOutput) {
    this.#config = config
    this.#output = output
    this.#sdk = start({
      servers: [...new Set(config.upstreams.map(({ host }) => host))],
      clients: [...new Set(config.clients.map(({ name }) => name))],
    })
  }

  /** Resolves with the exit code. */
  async run(): Promise<number> {
    const stopped = new Promise<number>((settle) => {
      this.#stop = settle
    })
    this.#watchProcess()
    try {
      await this.#open()
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
    this.#log.info({ version: packageJson.version, node: process.version, config: describeConfig(config) }, 'start')
    for (const warning of configWarnings(config)) this.#log.warn(warning)
    this.#loadCertificate()
    const options = {
      config,
      telemetry: combine(this.#sdk.telemetry, createLog(this.#log, { recordAddresses: config.recordAddresses })),
      ...(this.#certificate && { certificate: this.#certificate }),
      lost: (listener: ListenAddress, error: Error) => {
        this.#log.fatal({ listener: listener.url, error: error.message }, 'listener lost')
        this.#stop(EXIT_FAILED)
      },
      acceptFailed: (listener: ListenAddress, error: Error) =>
        this.#log.error({ listener: listener.url, error: error.message }, 'connection not accepted'),
    }
    const server = await (config.workers === 1
      ? startServer(options)
      : startWorkers({ ...options, crashed: (error) => this.#crash(error) }))
    this.#server = server
    this.#sdk.telemetry.observeLiveBytes(() => server.liveBytes())
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
      status: () => this.#status(server),
    })
    this.#log.info({ listener: 'admin', address: admin.host, port: this.#admin.port }, 'listening')
  }

  #status(server: MailServer): Status {
    return {
      version: packageJson.version,
      uptimeSeconds: Math.floor((Date.now() - this.#startedAt) / 1000),
      listeners: server.bound.map(({ listener, port }) => withPort(listener, port)),
      upstreams: this.#config.upstreams.map(({ host, port }) => `${host}:${port}`),
      activeSessions: server.activeSessions,
      draining: server.draining,
      changes: CHANGES,
    }
  }

  #loadCertificate(): void {
    if (!this.#config.tls) return
    const certificate = loadCertificate(this.#config.tls)
    if ('error' in certificate) throw new Error(`PROXY_TLS_CERT_FILE, PROXY_TLS_KEY_FILE: ${certificate.error}`)
    this.#certificate = certificate
    this.#sdk.telemetry.setListenerCertificate(certificate.notAfter)
    certificate.watch(CERTIFICATE_CHECK_MS, (result) => this.#certificateChanged(certificate, result))
  }

  #certificateChanged(certificate: ListenerCertificate, result: RefreshResult): void {
    if (result === 'unchanged') return
    if (result !== 'reloaded') return this.#log.error({ error: result.error }, 'certificate not reloaded')
    this.#sdk.telemetry.setListenerCertificate(certificate.notAfter)
    if (this.#server instanceof Workers) this.#server.refresh()
    this.#log.info({ notAfter: new Date(certificate.notAfter * 1000).toISOString() }, 'certificate reloaded')
  }

  #watchProcess(): void {
    process.on('SIGTERM', (signal) => this.#signalled(signal))
    process.on('SIGINT', (signal) => this.#signalled(signal))
    process.on('SIGHUP', () => void this.#reload())
    // a bug: the state of the process is unknown, and a supervisor starts a new one faster than this one could mend itself
    process.on('uncaughtException', (error) => this.#crash(error))
    process.on('unhandledRejection', (error) => this.#crash(error))
  }

  async #reload(): Promise<void> {
    const certificate = this.#certificate
    if (certificate) this.#certificateChanged(certificate, await certificate.refresh())
  }

  #signalled(signal: NodeJS.Signals): void {
    this.#signals += 1
    if (this.#signals > 1) {
      this.#log.warn({ signal }, 'stopped at once')
      return this.#stop(EXIT_FAILED)
    }
    void this.#drain(signal)
  }

  async #drain(signal: NodeJS.Signals): Promise<void> {
    const server = this.#server
    this.#log.info({ signal, sessions: server?.activeSessions ?? 0 }, 'drain')
    const cut = (await server?.drain()) ?? 0
    if (cut > 0) this.#log.warn({ cut }, 'sessions cut at the drain timeout')
    this.#stop(EXIT_DRAINED)
  }

  #crash(error: unknown): void {
    const stack = error instanceof Error ? error.stack?.split('\n').filter((line) => line.startsWith('    at ')) : []
    // the message may quote what a client sent; where it happened may not
    this.#log.fatal({ type: error instanceof Error ? error.name : typeof error, stack }, 'crash')
    this.#stop(EXIT_FAILED)
  }

  async #close(): Promise<void> {
    this.#certificate?.close()
    await this.#server?.close()
    await this.#admin?.close()
    await this.#sdk.shutdown()
    this.#log.info('stop')
  }
}

function withPort({ scheme, host }: ListenAddress, port: number): string {
  return `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}`
}

const command = COMMANDS[process.argv.slice(2).join(' ')]
if (command) process.exitCode = await command()
else {
  console.error(`unknown arguments: ${process.argv.slice(2).join(' ')}\n\n${helpText()}`)
  process.exitCode = EXIT_MISCONFIGURED
}
// whatever a library left running must not keep a finished proxy alive
process.exit()
