/**
 * Steady mail for a rehearsal, as a few apps would send it, and nothing wrong with it: what goes wrong is chosen on the
 * simulator's control page. `node test/rehearsal/traffic.ts [HOST [PORT]]`, by default proxy and 2525, until SIGTERM.
 * The file `sending` in the directory for temporary files says that it has begun. Exit code 1 when the rehearsal is not
 * behind that address: nobody else gets mail from here.
 */
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type App, type Destination, pick, SIZES, startMail, type Tally } from '../demo/mail.ts'
import { seededRandom } from '../simulator/plan.ts'

/** Some six mails a second. The last app sends so seldom that AhaSend closes its connection in between. */
const APPS: readonly App[] = [
  { everyMs: 250, pooled: true, mail: (random) => ({ size: pick(SIZES, random) }) },
  { everyMs: 700, pooled: false, mail: (random) => ({ size: pick(SIZES, random) }) },
  {
    everyMs: 4000,
    pooled: true,
    mail: (random) => ({
      to: Array.from({ length: 2 + Math.floor(random() * 15) }, (_, n) => `reader-${n}@example.net`),
    }),
  },
  { everyMs: 90_000, pooled: true, mail: () => ({}) },
]

const REHEARSAL = 'rehearsal.ahasend.example'
const GREETING_MS = 30_000
const ASK_AGAIN_MS = 2000
const REPORT_MS = 60_000

/** What the server says first; rejects when it says nothing within 30 s. */
export async function greetingOf(to: Destination): Promise<string> {
  const socket = connect(to)
  try {
    const [chunk] = await once(socket, 'data', { signal: AbortSignal.timeout(GREETING_MS) })
    return String(chunk).trimEnd()
  } finally {
    socket.destroy()
  }
}

/** Waits until the rehearsal answers; false when somebody else does. A 421 may come from whoever is not ready yet. */
export async function rehearsalIsBehind(to: Destination): Promise<boolean> {
  for (;;) {
    const greeting = await greetingOf(to).catch((error: Error) => `421 ${error.message}`)
    if (greeting.includes(REHEARSAL)) return true
    if (!greeting.startsWith('421')) return false
    console.log(`waiting: ${greeting}`)
    await sleep(ASK_AGAIN_MS)
  }
}

function report({ accepted, failed }: Tally): string {
  return JSON.stringify({ accepted, failed: Object.fromEntries(failed) })
}

async function main(): Promise<void> {
  const [host = 'proxy', port = '2525'] = process.argv.slice(2)
  const to = { host, port: Number(port) }
  const stopped = Promise.race([once(process, 'SIGTERM'), once(process, 'SIGINT')])
  const behind = await Promise.race([rehearsalIsBehind(to), stopped.then(() => 'stopped' as const)])
  if (behind === 'stopped') return
  if (!behind) throw new Error(`${host}:${port} does not lead to the rehearsal: nothing is sent. See PROXY_UPSTREAM.`)
  const mail = startMail(to, seededRandom(1), APPS)
  writeFileSync(join(tmpdir(), 'sending'), '')
  const timer = setInterval(() => console.log(report(mail.tally)), REPORT_MS)
  await stopped
  clearInterval(timer)
  await mail.stop()
  console.log(report(mail.tally))
}

if (import.meta.main) {
  try {
    await main()
    process.exit()
  } catch (error) {
    console.error((error as Error).message)
    process.exit(1)
  }
}
