/** Steady mixed mail of a few apps: most messages are accepted, some have a fault. */
import { createTransport, type Transporter } from 'nodemailer'
import { DEFAULT_ACCOUNT } from '../simulator/simulator.ts'

/** One app: its average interval in milliseconds, its connections and its messages. */
export interface App {
  readonly everyMs: number
  /** True: connections stay open for further messages. False: each message has its own connection. */
  readonly pooled: boolean
  /** The address that it connects from, by which PROXY_CLIENTS names it. Default: any. */
  readonly localAddress?: string
  readonly password?: string
  readonly mail: (random: () => number) => Envelope
}

/** The sender, recipients and size of a message. */
export interface Envelope {
  readonly from?: string
  readonly to?: string | readonly string[]
  /** The size of the text, in bytes. */
  readonly size?: number
}

/** Sizes of messages, in bytes. */
export const SIZES = [300, 2_000, 2_000, 10_000, 60_000, 400_000]

/** Messages with faults, chosen by address; see `node test/simulator/main.ts --help`. 521 is rare. */
const FAULTY: readonly Envelope[] = [
  { to: 'fault+553-at-rcpt@example.net' },
  { to: ['good@example.net', 'fault+553-at-rcpt@example.net'] },
  { to: 'fault+451-at-end-of-message@example.net' },
  { to: 'fault+421-at-data@example.net' },
  { from: 'fault+556-at-mail@example.com' },
  { to: 'fault+552-at-end-of-message@example.net' },
  { to: 'fault+slow-1200-at-end-of-message@example.net' },
  { to: 'fault+553-at-rcpt@example.net' },
  { to: 'fault+451-at-rcpt@example.net' },
  { from: 'fault+521-at-mail@example.com' },
]

const APPS: readonly App[] = [
  { everyMs: 120, pooled: true, mail: (random) => ({ size: pick(SIZES, random) }) },
  { everyMs: 350, pooled: false, mail: (random) => ({ size: pick(SIZES, random) }) },
  {
    everyMs: 1500,
    pooled: true,
    mail: () => ({ to: Array.from({ length: 20 }, (_, n) => `reader-${n}@example.net`) }),
  },
  { everyMs: 700, pooled: false, mail: (random) => pick(FAULTY, random) },
  { everyMs: 5000, pooled: false, password: 'outdated', mail: () => ({}) },
  // so rarely that AhaSend closes the idle connection between two messages
  { everyMs: 9000, pooled: true, mail: () => ({}) },
]

/** The results of the apps. */
export interface Tally {
  accepted: number
  /** Failures by reply code, or by error code without a reply. */
  readonly failed: Map<string, number>
}

export interface Mail {
  readonly tally: Tally
  /** Stops sending, waits up to 3 s for messages in flight, and closes all connections. */
  stop(): Promise<void>
}

const LAST_MAIL_MS = 3000

/** The server that the apps connect to. */
export interface Destination {
  readonly host: string
  readonly port: number
  /** The address from which the apps connect. */
  readonly localAddress?: string
}

/** Starts apps, by default those of the demo, that send to a proxy. */
export function startMail(to: Destination, random: () => number, apps = APPS): Mail {
  const tally: Tally = { accepted: 0, failed: new Map() }
  const stops = apps.map((app) => run(app, to, random, tally))
  return {
    tally,
    async stop() {
      await Promise.all(stops.map((stop) => stop()))
    },
  }
}

/** Runs one app until the function that it returns is called. */
function run(app: App, to: Destination, random: () => number, tally: Tally): () => Promise<void> {
  const transport = transportOf(app, to)
  const underway = new Set<Promise<void>>()
  let timer: NodeJS.Timeout
  const next = () => {
    const mail = send(transport, app.mail(random), tally).finally(() => underway.delete(mail))
    underway.add(mail)
    timer = setTimeout(next, app.everyMs * (0.5 + random()))
  }
  timer = setTimeout(next, Math.min(app.everyMs, 1000) * random())
  return async () => {
    clearTimeout(timer)
    const late = new Promise((resolve) => setTimeout(resolve, LAST_MAIL_MS).unref())
    await Promise.race([Promise.all(underway), late])
    transport.close()
  }
}

function transportOf({ pooled, localAddress, password = DEFAULT_ACCOUNT.pass }: App, to: Destination): Transporter {
  const from = localAddress === undefined ? {} : { localAddress }
  const usual = { ...to, ...from, auth: { user: DEFAULT_ACCOUNT.user, pass: password } }
  return pooled ? createTransport({ ...usual, pool: true, maxConnections: 3 }) : createTransport(usual)
}

async function send(transport: Transporter, envelope: Envelope, tally: Tally): Promise<void> {
  const { from = 'app@example.com', to = 'someone@example.net', size = 500 } = envelope
  const text = `${'A line of an ordinary mail, neither long nor short.\n'.repeat(size / 52 + 1)}`
  try {
    await transport.sendMail({ from, to: typeof to === 'string' ? to : [...to], subject: 'Rehearsal', text })
    tally.accepted += 1
  } catch (error) {
    const { responseCode, code } = error as { readonly responseCode?: number; readonly code?: string }
    const why = String(responseCode ?? code ?? 'unknown')
    tally.failed.set(why, (tally.failed.get(why) ?? 0) + 1)
  }
}

/** A random choice. */
export function pick<T>(choices: readonly T[], random: () => number): T {
  return choices[Math.floor(random() * choices.length)] as T
}
