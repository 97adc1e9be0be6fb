/**
 * Plays random sessions directly and through the proxy, and compares them:
 *
 *   npm run campaign -- --sessions 20000 --seed 7
 *   npm run campaign -- --seed 7 --only 1234        replays one session
 *
 * Ctrl-C stops the campaign and prints the summary. Exits with 1 when a check fails.
 */
import { parseArgs } from 'node:util'
import { runCampaign } from './campaign.ts'

/** How often the progress is printed, in milliseconds. */
const PROGRESS_MS = 2000

const { values } = parseArgs({
  options: {
    sessions: { type: 'string', default: '2000' },
    seed: { type: 'string' },
    first: { type: 'string', default: '0' },
    only: { type: 'string' },
    'at-once': { type: 'string', default: '16' },
  },
})

const seed = numberOf(values.seed ?? String(Math.floor(Math.random() * 2 ** 32)))
const only = values.only === undefined ? undefined : numberOf(values.only)
const sessions = only === undefined ? numberOf(values.sessions) : 1
const first = only ?? numberOf(values.first)

const stop = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => stop.abort())
const began = performance.now()
let printed = began
const result = await runCampaign({
  seed,
  sessions,
  first,
  atOnce: numberOf(values['at-once']),
  signal: stop.signal,
  failed: (what) => console.log(`\n${what}\n`),
  progress: (done) => {
    if (performance.now() - printed < PROGRESS_MS) return
    printed = performance.now()
    console.log(`seed ${seed}: ${done} of ${sessions} sessions, ${rate(done)} per second`)
  },
})

const { done, faulty, exact, bytes, refusals } = result
console.log(`\n${refusals}`)
console.log(
  `seed ${seed}: ${done} sessions in ${((performance.now() - began) / 1000).toFixed(1)} s (${rate(done)} per second), ` +
    `${faulty} with a fault, ${exact} compared exactly, ${(bytes / 1e6).toFixed(1)} MB, ${result.failures.length} failures`,
)
process.exitCode = result.failures.length === 0 ? 0 : 1

function rate(count: number): string {
  return ((count * 1000) / (performance.now() - began)).toFixed(0)
}

function numberOf(text: string): number {
  if (!/^\d{1,10}$/.test(text)) throw new RangeError(`not a number: ${text}`)
  return Number(text)
}
