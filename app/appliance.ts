import { framesOf, type LogOutput } from '../otel/export/logger.ts'
import { throttle } from '../otel/metrics/throttle.ts'
import { Log } from '../otel/records/log.ts'
import { createRecords } from '../otel/records/recorder.ts'
import type { Sdk } from '../otel/sdk.ts'
import { type Admin, startAdmin } from '../proxy/admin/admin.ts'
import { combine } from '../proxy/events/observer.ts'
import { reportLoop } from '../proxy/server/event-loop.ts'
import { type MailServer, startServer } from '../proxy/server/server.ts'
import { startWorkers, Workers } from '../proxy/server/workers.ts'
import type { ListenAddress } from '../proxy/settings/config.ts'
import { statusPages, statusStreams } from '../status/page/routes.ts'
import { drain } from './drain.ts'
import { EXIT, type ExitCode } from './exit-code.ts'
import type { Settings } from './settings.ts'
import { onSignals } from './signals.ts'
import { logListeners, logStart } from './start-log.ts'
import { Status } from './status.ts'
import { notifySystemd } from './systemd.ts'
import { WatchedCertificate } from './watched-certificate.ts'

/** The running proxy: mail server, telemetry and admin server, from start to exit. */
export class Appliance {
  readonly #settings: Settings
  readonly #sdk: Sdk
  readonly #log: LogOutput['logger']
  readonly #records: Log
  readonly #status: Status
  #certificate: WatchedCertificate | undefined
  #server: MailServer | undefined
  #admin: Admin | undefined
  #opening: Promise<void> = Promise.resolve()
  /** Settles with the exit code when the proxy must stop. */
  readonly #stopped = Promise.withResolvers<ExitCode>()
  /** Settles at the second signal: from then on, nothing is waited for. */
  readonly #aborted = Promise.withResolvers<void>()

  constructor(settings: Settings, sdk: Sdk, { logger }: LogOutput) {
    this.#settings = settings
    this.#sdk = sdk
    this.#log = logger
    this.#records = new Log(logger, sdk.losses)
    this.#status = new Status(settings, sdk.instanceId)
  }

  /** Runs the proxy until a signal or an error stops it. Resolves with the exit code. */
  async run(): Promise<ExitCode> {
    this.#handleProcessEvents()
    try {
      this.#opening = this.#open()
      await Promise.race([this.#opening, this.#aborted.promise])
      return await this.#stopped.promise
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      this.#log.fatal(message)
      console.error(message)
      return EXIT.failed
    } finally {
      await this.#close()
    }
  }

  #handleProcessEvents(): void {
    onSignals({
      drain: (signal) => void this.#drain(signal),
      stop: (signal) => this.#stopImmediately(signal),
      reload: () => this.#reload(),
    })
    // a bug: the state of the process is unknown, and a supervisor starts a new one faster than this one could recover
    process.on('uncaughtException', (error) => this.#crash(error))
    process.on('unhandledRejection', (error) => this.#crash(error))
  }

  async #open(): Promise<void> {
    logStart(this.#log, this.#settings, process.env)
    this.#loadCertificate()
    const server = await this.#startServer()
    this.#server = server
    this.#sdk.telemetry.observeLiveBytes(() => server.liveBytes())
    this.#sdk.telemetry.observeRefusedCuts(() => server.refusedCuts())
    await this.#openAdmin(server)
    logListeners(this.#log, server.bound)
    notifySystemd(process.env, (error) => this.#log.error({ error }, 'systemd not notified'))
  }

  #loadCertificate(): void {
    const { tls } = this.#settings.config
    if (!tls) return
    const { telemetry } = this.#sdk
    this.#certificate = new WatchedCertificate(tls, this.#log, ({ notAfter }) => {
      telemetry.setListenerCertificate(notAfter)
      if (this.#server instanceof Workers) this.#server.refresh()
    })
    telemetry.setListenerCertificate(this.#certificate.certificate.notAfter)
  }

  /** Opens the listeners, in this thread or in several workers. */
  async #startServer(): Promise<MailServer> {
    const { config } = this.#settings
    const { telemetry, traces } = this.#sdk
    const { feed, failures, refusedClients, tail } = this.#status
    const { recordAddresses } = config
    const records = createRecords({
      log: this.#records,
      also: [failures, refusedClients, tail],
      traces,
      recordAddresses,
    })
    const options = {
      config,
      telemetry: combine(telemetry, records, feed, tail),
      ...(this.#certificate && { certificate: this.#certificate.certificate }),
      lost: (listener: ListenAddress, error: Error) => {
        this.#log.fatal({ listener: listener.url, error: error.message }, 'listener lost')
        this.#stop(EXIT.failed)
      },
      acceptFailed: (listener: ListenAddress, error: Error) =>
        this.#log.error({ listener: listener.url, error: error.message }, 'connection not accepted'),
    }
    const observeLoop: typeof telemetry.observeLoop = (loop, figures) => {
      telemetry.observeLoop(loop, figures)
      feed.observeLoop(loop, figures)
    }
    if (config.workers > 1) return startWorkers({ ...options, observeLoop, crashed: (error) => this.#crash(error) })
    const server = await startServer(options)
    reportLoop((figures) => observeLoop(0, figures))
    return server
  }

  async #openAdmin(server: MailServer): Promise<void> {
    const { config } = this.#settings
    if (!config.admin) return
    const report = throttle(async () => this.#status.report(server))
    this.#admin = await startAdmin({
      ...config.admin,
      page: () => this.#sdk.page(),
      ready: () => (server.draining ? 'draining' : true),
      pages: statusPages(report),
      streams: new Map([...statusStreams(report), ['/tail', this.#status.tail.stream]]),
    })
    this.#log.info({ listener: 'admin', address: config.admin.host, port: this.#admin.port }, 'listening')
  }

  #reload(): void {
    if (this.#certificate) void this.#certificate.reload()
    else this.#log.info('nothing to reload: no certificate is configured')
  }

  async #drain(signal: NodeJS.Signals): Promise<void> {
    const began = performance.now()
    this.#log.info({ signal, sessions: this.#server?.activeSessions ?? 0 }, 'drain')
    // a listener that is being opened must be drained, too
    await Promise.allSettled([this.#opening])
    const [server, admin, settings, log] = [this.#server, this.#admin, this.#settings, this.#log]
    if (server) await drain({ server, admin, settings, log }, began)
    this.#stop(EXIT.ok)
  }

  #stopImmediately(signal: NodeJS.Signals): void {
    this.#log.warn({ signal }, 'stopped immediately')
    this.#aborted.resolve()
    this.#stop(EXIT.failed)
  }

  #crash(error: unknown): void {
    const stack = error instanceof Error ? framesOf(error) : []
    // the message may quote what a client sent, so only the type and the stack are logged
    this.#log.fatal({ type: error instanceof Error ? error.name : typeof error, stack }, 'crash')
    this.#stop(EXIT.failed)
  }

  #stop(code: ExitCode): void {
    this.#stopped.resolve(code)
  }

  async #close(): Promise<void> {
    this.#certificate?.close()
    await this.#server?.close()
    this.#status.tail.stop()
    await this.#admin?.close()
    this.#records.flush()
    this.#log.info('stop')
    await Promise.race([this.#sdk.shutdown(), this.#aborted.promise])
  }
}
