/**
 * Steady mail for a rehearsal, as a few apps would send it, and nothing wrong with it: what goes wrong is chosen on the
 * simulator's control page. `node test/rehearsal/traffic.ts [HOST [PORT [SECONDS]]]`, by default proxy, 2525 and 60, until
 * SIGTERM. The file `sending` in the directory for temporary files says that it has begun. Every so many seconds it reports
 * and looks who greets. Exit code 1 when the rehearsal is not behind that address, at the start or later: nobody else gets
 * mail from here.
 */
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { addAbortSignal } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { type App, type Destination, pick, SIZES, startMail, type Tally } from '../demo/mail.ts'
import { seededRandom } from '../simulator/random.ts'

/**
 * Some six messages a second. One app alone keeps connections for long, so that a fault at AUTH is an outage within two
 * minutes. The last app sends so seldom that AhaSend closes its connection in between.
 */
const APPS: readonly App[] = [
  { everyMs: 250, pooled: true, mail: (random) => ({ size: pick(SIZES, random) }) },
  { everyMs: 700, pooled: false, mail: (random) => ({ size: pick(SIZES, random) }) },
  {
    everyMs: 4000,
    pooled: false,
    mail: (random) => ({
      to: Array.from({ length: 2 + Math.floor(random() * 15) }, (_, n) => `reader-${n}@example.net`),
    }),
  },
  { everyMs: 90_000, pooled: true, mail: () => ({}) },
]

const REHEARSAL = 'rehearsal.ahasend.example'
const GREETING_MS = 30_000
const ASK_AGAIN_MS = 2000

/** The first line that the server says; rejects when it says none within 30 s. The rehearsal is told QUIT. */
export async function greetingOf(to: Destination): Promise<string> {
  const socket = addAbortSignal(
    AbortSignal.timeout(GREETING_MS),
    connect(to)
      .setEncoding('latin1')
      .on('error', () => {}),
  )
  let said = ''
  for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
    said += chunk
    if (said.includes('\n')) break
  }
  if (said.includes(REHEARSAL)) socket.end('QUIT\r\n').resume()
  else socket.destroy()
  if (said === '') throw new Error('closed without a greeting')
  return said.trimEnd()
}

/** Who greets, and how. `nobody` takes no mail, whoever it is: the rehearsal may refuse and be out of reach, too. */
interface Look {
  readonly who: 'rehearsal' | 'nobody' | 'somebody else'
  readonly greeting: string
}

async function look(to: Destination): Promise<Look> {
  const greeting = await greetingOf(to).catch((error: Error) => `421 ${error.message}`)
  if (greeting.includes(REHEARSAL)) return { who: 'rehearsal', greeting }
  return { who: /^[45]\d\d/.test(greeting) ? 'nobody' : 'somebody else', greeting }
}

/** Waits until somebody takes mail there. Throws when that is not the rehearsal. */
async function rehearsalThere(to: Destination): Promise<void> {
  for (;;) {
    const { who, greeting } = await look(to)
    if (who === 'rehearsal') return
    if (who === 'somebody else') throw new Stranger(to, 'nothing is sent', greeting)
    console.log(`waiting: ${greeting}`)
    await sleep(ASK_AGAIN_MS)
  }
}

/** Reports and looks again, as often as that. Throws when somebody else than the rehearsal takes mail there. */
async function rehearsalGone(to: Destination, everyMs: number, tally: Tally): Promise<never> {
  for (;;) {
    await sleep(everyMs)
    console.log(report(tally))
    const { who, greeting } = await look(to)
    if (who === 'somebody else') throw new Stranger(to, 'nothing more is sent', greeting)
  }
}

/** Somebody else than the rehearsal is there. */
class Stranger extends Error {
  constructor({ host, port }: Destination, consequence: string, greeting: string) {
    super(
      `${host}:${port} does not lead to the rehearsal: ${consequence}. See PROXY_UPSTREAM. Who is there says: ${greeting}`,
    )
  }
}

function report({ accepted, failed }: Tally): string {
  return JSON.stringify({ accepted, failed: Object.fromEntries(failed) })
}

async function main(): Promise<void> {
  const [host = 'proxy', port = '2525', seconds = '60'] = process.argv.slice(2)
  const to = { host, port: Number(port) }
  const stopped = Promise.race([once(process, 'SIGTERM'), once(process, 'SIGINT')]).then(() => 'stopped' as const)
  if ((await Promise.race([rehearsalThere(to), stopped])) === 'stopped') return
  const mail = startMail(to, seededRandom(1), APPS)
  writeFileSync(join(tmpdir(), 'sending'), '')
  // What is on its way to somebody else is not waited for: the process ends at once.
  await Promise.race([rehearsalGone(to, Number(seconds) * 1000, mail.tally), stopped])
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
