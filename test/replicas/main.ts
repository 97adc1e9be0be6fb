/**
 * Restarts several proxies one after another while apps send, and compares the books of the apps, of the simulated AhaSend
 * and of the proxies:
 *
 *   npm run restarts                          behind HAProxy, with 20 restarts
 *   npm run restarts -- --way dns             behind a name with several addresses
 *
 * Exits with 1 when a message is lost, or is duplicated without being in doubt, or is counted wrongly.
 */
import { parseArgs } from 'node:util'
import { mistakesIn } from './books.ts'
import { reportOf } from './report.ts'
import { run, WAYS, type Way } from './run.ts'

const { values } = parseArgs({
  options: {
    way: { type: 'string', default: 'haproxy' },
    restarts: { type: 'string', default: '20' },
    'drain-seconds': { type: 'string', default: '30' },
    senders: { type: 'string', default: '10' },
    'every-ms': { type: 'string', default: '200' },
  },
})

const began = performance.now()
const books = await run({
  way: wayOf(values.way),
  restarts: numberOf(values.restarts),
  drainSeconds: numberOf(values['drain-seconds']),
  senders: numberOf(values.senders),
  everyMs: numberOf(values['every-ms']),
  progress: (what) => console.log(`${((performance.now() - began) / 1000).toFixed(0).padStart(4)} s  ${what}`),
})
console.log(`\n${reportOf(books)}`)
process.exitCode = mistakesIn(books).length === 0 ? 0 : 1

function wayOf(text: string): Way {
  const way = WAYS.find((known) => known === text)
  if (way === undefined) throw new RangeError(`--way is ${WAYS.join(' or ')}, not ${text}`)
  return way
}

function numberOf(text: string): number {
  if (!/^[1-9]\d{0,5}$/.test(text)) throw new RangeError(`not a number from 1: ${text}`)
  return Number(text)
}
