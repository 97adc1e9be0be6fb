/** The mail of a rehearsal's apps, with the results of each app. */
import { type Mail, startMail } from '../demo/mail.ts'
import { seededRandom } from '../simulator/random.ts'
import { appsOfThisMachine, type NamedApp } from './apps.ts'

/** The results of one app. */
export interface AppResult {
  readonly name: string
  readonly accepted: number
  /** Failures by reply code, or by error code without a reply. */
  readonly failed: ReadonlyMap<string, number>
}

export class AppsMail {
  readonly #apps: readonly NamedApp[]
  #mails: readonly Mail[] = []

  private constructor(apps: readonly NamedApp[]) {
    this.#apps = apps
  }

  /** The apps of this machine. They do not send yet. */
  static async prepare(): Promise<AppsMail> {
    return new AppsMail(await appsOfThisMachine())
  }

  /** Whether PROXY_CLIENTS can name the apps by their addresses. */
  get named(): boolean {
    return this.#apps.every(({ localAddress }) => localAddress !== undefined)
  }

  get results(): readonly AppResult[] {
    return this.#mails.map(({ tally }, index) => ({ name: this.#apps[index]!.name, ...tally }))
  }

  /** The number of messages of all apps that were accepted. */
  get accepted(): number {
    return this.#mails.reduce((sum, { tally }) => sum + tally.accepted, 0)
  }

  /** Sends to the proxy on 127.0.0.1 from now on. */
  start(port: number): void {
    const to = { host: '127.0.0.1', port }
    this.#mails = this.#apps.map((app, index) => startMail(to, seededRandom(index + 1), [app]))
  }

  /** Stops sending, and waits up to 3 s for messages in flight. */
  async stop(): Promise<void> {
    await Promise.all(this.#mails.map((mail) => mail.stop()))
  }
}
