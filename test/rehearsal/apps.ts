/** The apps of a rehearsal, whose mail is correct. */
import { once } from 'node:events'
import { createServer } from 'node:net'
import { type App, pick, SIZES } from '../demo/mail.ts'

/** An app with the name that PROXY_CLIENTS gives it. */
export interface NamedApp extends App {
  readonly name: string
}

/**
 * About six messages per second. Only one app keeps its connections open for long, so a fault at AUTH becomes an outage
 * within two minutes. The last app sends so rarely that AhaSend closes its connection between two messages.
 */
export const APPS: readonly NamedApp[] = [
  { name: 'shop', everyMs: 250, pooled: true, mail: (random) => ({ size: pick(SIZES, random) }) },
  { name: 'billing', everyMs: 700, pooled: false, mail: (random) => ({ size: pick(SIZES, random) }) },
  {
    name: 'newsletter',
    everyMs: 4000,
    pooled: false,
    mail: (random) => ({
      to: Array.from({ length: 2 + Math.floor(random() * 15) }, (_, n) => `reader-${n}@example.net`),
    }),
  },
  { name: 'reports', everyMs: 90_000, pooled: true, mail: () => ({}) },
]

/** The apps, each with its own address on the loopback interface: 127.0.0.2 and so on. */
export const APPS_BY_ADDRESS: readonly NamedApp[] = APPS.map((app, index) => ({
  ...app,
  localAddress: `127.0.0.${index + 2}`,
}))

/** The apps with addresses, where this machine has these addresses: Linux has all of 127.0.0.0/8, macOS has only 127.0.0.1. */
export async function appsOfThisMachine(): Promise<readonly NamedApp[]> {
  const server = createServer()
  try {
    server.listen(0, APPS_BY_ADDRESS.at(-1)?.localAddress)
    await once(server, 'listening')
    return APPS_BY_ADDRESS
  } catch {
    return APPS
  } finally {
    server.close()
  }
}

/** The value of PROXY_CLIENTS that names these apps. */
export const CLIENTS = APPS_BY_ADDRESS.map(({ name, localAddress }) => `${name}=${localAddress}`).join(',')
