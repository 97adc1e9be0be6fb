/**
 * A simulated AhaSend and two proxies: one without a certificate, and one with the certificate that the commands of
 * docs/tls.md create. Apps connect to them with the code of docs/app-snippets.md.
 */
import { mkdtempSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Outcome } from '../../clients/command.ts'
import { installedVersion } from '../../clients/rig.ts'
import type { MessageRecord } from '../../simulator/ledger.ts'
import { type Simulator, startSimulator } from '../../simulator/simulator.ts'
import { temporaryDirectory } from '../../support/files/temporary-files.ts'
import { type ProxyProcess, startProxy } from '../../support/processes/proxy-process.ts'
import { replaced } from '../page.ts'
import { shell, succeed } from '../shell.ts'
import { certificateCommands, HOST, PORT, prepareTrust } from '../tls-page.ts'
import type { App, Mail } from './app.ts'

/** How the app connects: to a proxy without a certificate, with STARTTLS, or with TLS from the first byte. */
export type Mode = 'plain' | 'starttls' | 'smtps'

/** What an app did, and what AhaSend received from it. */
export interface Attempt {
  readonly outcome: Outcome
  readonly messages: readonly MessageRecord[]
}

/** The host that an app connects to. 127.0.0.2 is this machine, but not localhost, where Go requires no TLS. */
const HOSTS: Readonly<Record<Mode, string>> = { plain: '127.0.0.2', starttls: 'localhost', smtps: 'localhost' }

interface SendOptions {
  /** What the app needs in addition to its own variables. */
  readonly env?: Readonly<Record<string, string>>
  readonly host?: string
}

export const MAIL: Mail = {
  SMTP_USER: 'app-user',
  SMTP_PASSWORD: 'app-password',
  SMTP_FROM: 'you@your-domain.example',
  SMTP_TO: 'somebody@example.net',
}

/** The version of an app's library; undefined if it is missing. */
export function versionOf({ detect }: App): Promise<string | undefined> {
  return installedVersion({ detect })
}

/** Why an app cannot run, and how to install it. */
export function missing({ name, packages, install = `apt-get install ${packages.join(' ')}` }: App): string {
  return `${name} is not installed: ${install}`
}

/** Starts everything. `close` undoes it. */
export class AppStage {
  readonly simulator: Simulator
  /** Contains what the commands of docs/tls.md create. */
  readonly directory: string
  readonly #plain: ProxyProcess
  readonly #secured: ProxyProcess
  readonly #disposables: AsyncDisposableStack
  #senders = 0

  private constructor(
    simulator: Simulator,
    directory: string,
    plain: ProxyProcess,
    secured: ProxyProcess,
    disposables: AsyncDisposableStack,
  ) {
    this.simulator = simulator
    this.directory = directory
    this.#plain = plain
    this.#secured = secured
    this.#disposables = disposables
  }

  static async open(): Promise<AppStage> {
    await using starting = new AsyncDisposableStack()
    const { path: directory } = starting.use(temporaryDirectory('apps-'))
    await succeed(directory, certificateCommands())
    await prepareTrust(directory)
    const simulator = starting.use(await startSimulator({ accounts: { [MAIL.SMTP_USER]: MAIL.SMTP_PASSWORD } }))
    const upstream = {
      PROXY_UPSTREAM: `smtp://${simulator.host}:${simulator.port}`,
      PROXY_UPSTREAM_CA_FILE: simulator.caFile,
    }
    const plain = starting.use(await startProxy({ ...upstream, PROXY_LISTEN: 'smtp://0.0.0.0:0' }))
    const certificate = {
      PROXY_LISTEN: 'smtp://127.0.0.1:0?starttls=required,smtps://127.0.0.1:0',
      PROXY_TLS_CERT_FILE: join(directory, 'cert.pem'),
      PROXY_TLS_KEY_FILE: join(directory, 'key.pem'),
    }
    const secured = starting.use(await startProxy({ ...upstream, ...certificate }))
    return new AppStage(simulator, directory, plain, secured, starting.move())
  }

  /** Runs an app with the code of the page, for another host and port. */
  async send(app: App, code: string, mode: Mode, { env = {}, host = HOSTS[mode] }: SendOptions = {}): Promise<Attempt> {
    this.#senders += 1
    // a sender of its own finds the message of this attempt, although others run at the same time
    const mail = { ...MAIL, SMTP_FROM: `app-${this.#senders}@your-domain.example` }
    const here = replaced(replaced(code, HOST, host), PORT, String(this.#port(mode)))
    const directory = mkdtempSync(join(this.directory, 'app-'))
    writeFileSync(join(directory, app.file), app.source(here.replaceAll(MAIL.SMTP_FROM, mail.SMTP_FROM)))
    const inherited = Object.fromEntries((app.inherits ?? []).map((name) => [name, process.env[name]]))
    const outcome = await shell(directory, app.command, { ...inherited, ...mail, ...env })
    const messages = this.simulator.ledger.messages.filter(({ sender }) => sender === mail.SMTP_FROM)
    return { outcome, messages }
  }

  close(): Promise<void> {
    return this.#disposables.disposeAsync()
  }

  #port(mode: Mode): number {
    if (mode === 'plain') return this.#plain.port
    return this.#secured.ports[mode === 'starttls' ? 0 : 1]!
  }
}
