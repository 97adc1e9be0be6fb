/**
 * Sends steady, correct mail for a rehearsal, as a few apps would. Choose the faults on the simulator's control page.
 *
 *     node test/rehearsal/traffic.ts [HOST [PORT [SECONDS]]]
 *
 * The defaults are proxy, 2525 and 60. It runs until SIGTERM. When it starts sending, it creates the file `sending` in
 * the directory for temporary files. Every SECONDS seconds it prints its counts and checks the greeting. If a server
 * other than the simulated AhaSend greets, at the start or later, it stops with exit code 1: no other server may
 * receive its mail.
 */
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { addAbortSignal } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Destination, startMail, type Tally } from '../demo/mail.ts'
import { seededRandom } from '../simulator/random.ts'
import { APPS } from './apps.ts'

const REHEARSAL = 'rehearsal.ahasend.example'
const GREETING_MS = 30_000
const RETRY_MS = 2000

/**
 * The first line of the server. Rejects if there is none within 30 s. Sends QUIT if the server is the simulated
 * AhaSend.
 */
export async function greetingOf(to: Destination): Promise<string> {
  const socket = addAbortSignal(
    AbortSignal.timeout(GREETING_MS),
    connect(to)
      .setEncoding('latin1')
      .on('error', () => {}),
  )
  let greeting = ''
  for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
    greeting += chunk
    if (greeting.includes('\n')) break
  }
  if (greeting.includes(REHEARSAL)) socket.end('QUIT\r\n').resume()
  else socket.destroy()
  if (greeting === '') throw new Error('closed without a greeting')
  return greeting.trimEnd()
}

/** `unavailable`: no server accepts mail now. The simulated AhaSend can also refuse, or be unreachable. */
interface Check {
  readonly server: 'rehearsal' | 'unavailable' | 'other'
  readonly greeting: string
}

async function checkGreeting(to: Destination): Promise<Check> {
  const greeting = await greetingOf(to).catch((error: Error) => `421 ${error.message}`)
  if (greeting.includes(REHEARSAL)) return { server: 'rehearsal', greeting }
  return { server: /^[45]\d\d/.test(greeting) ? 'unavailable' : 'other', greeting }
}

/** Waits until a server accepts mail. Throws if it is not the simulated AhaSend. */
async function waitForRehearsal(to: Destination): Promise<void> {
  for (;;) {
    const { server, greeting } = await checkGreeting(to)
    if (server === 'rehearsal') return
    if (server === 'other') throw new WrongServer(to, 'sent nothing', greeting)
    console.log(`waiting: ${greeting}`)
    await sleep(RETRY_MS)
  }
}

/** Prints the counts and checks the greeting at this interval. Throws if another server accepts mail. */
async function watchRehearsal(to: Destination, everyMs: number, tally: Tally): Promise<never> {
  for (;;) {
    await sleep(everyMs)
    console.log(report(tally))
    const { server, greeting } = await checkGreeting(to)
    if (server === 'other') throw new WrongServer(to, 'stopped sending', greeting)
  }
}

/** A server other than the simulated AhaSend accepts mail. */
class WrongServer extends Error {
  constructor({ host, port }: Destination, consequence: string, greeting: string) {
    const where = `${host}:${port} does not lead to the simulated AhaSend`
    super(`${where}: ${consequence}. Check PROXY_UPSTREAM. The server's greeting: ${greeting}`)
  }
}

function report({ accepted, failed }: Tally): string {
  return JSON.stringify({ accepted, failed: Object.fromEntries(failed) })
}

async function main(): Promise<void> {
  const [host = 'proxy', port = '2525', seconds = '60'] = process.argv.slice(2)
  const to = { host, port: Number(port) }
  const stopped = Promise.race([once(process, 'SIGTERM'), once(process, 'SIGINT')]).then(() => 'stopped' as const)
  if ((await Promise.race([waitForRehearsal(to), stopped])) === 'stopped') return
  const mail = startMail(to, seededRandom(1), APPS)
  writeFileSync(join(tmpdir(), 'sending'), '')
  // If another server greets, this throws and the process exits immediately, without waiting for messages in flight.
  await Promise.race([watchRehearsal(to, Number(seconds) * 1000, mail.tally), stopped])
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
