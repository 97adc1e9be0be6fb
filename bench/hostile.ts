/**
 * Can attackers fill the memory of Prometheus or of the proxy? Plays hostile sessions over loopback sockets, and prints
 * the number of series on /metrics and the proxy's memory.
 *
 *   nice node bench/hostile.ts [--sessions 100000] [--at-once 50] [--seed 1]
 *
 * Exits with 1 when series of the proxy are added after the first thousand sessions, when a label has a value outside
 * its set, or when text of the peers is on the page or in the log.
 */

import { parseArgs } from 'node:util'
import { SYSTEMATIC } from '../test/support/hostile/sessions.ts'
import { type HostileStage, openHostileStage } from '../test/support/hostile/stage.ts'
import { residentMib } from '../test/support/processes/memory.ts'
import { unknownSeriesOn } from '../test/support/telemetry/labels.ts'
import { sum } from './rehearsal.ts'

const { values } = parseArgs({
  options: {
    sessions: { type: 'string', default: '100000' },
    'at-once': { type: 'string', default: '50' },
    seed: { type: 'string', default: '1' },
  },
})
const SESSIONS = Number(values.sessions)
const STEP = 10_000

const began = performance.now()
let searched = 0

async function main(): Promise<void> {
  await using stage = await openHostileStage(Number(values.seed))
  console.log('sessions  series  of the proxy  resident MiB  heap MiB  messages  seconds')
  let known = await look(stage, 0)
  for (let done = 0; done < SESSIONS; ) {
    const step = done === 0 ? SYSTEMATIC : Math.min(STEP - (done % STEP), SESSIONS - done)
    await stage.play(step, Number(values['at-once']))
    done += step
    const series = await look(stage, done)
    if (done > SYSTEMATIC)
      fail(
        'added',
        [...series].filter((one) => !known.has(one)),
      )
    known = series
  }
  console.log(`searched ${searched} characters of the log for text of the peers`)
}

/** Prints a row. Returns the proxy's own series. */
async function look(
  { proxy, secretText, servers, listeners }: HostileStage,
  done: number,
): Promise<ReadonlySet<string>> {
  const page = await proxy.metrics()
  const all = page.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  const own = all.filter((line) => line.startsWith('smtp_proxy_'))
  const columns = [
    String(done).padEnd(9),
    String(all.length).padEnd(7),
    String(own.length).padEnd(13),
    residentMib(proxy.pid).toFixed(1).padEnd(13),
    (sum(page, 'v8js_memory_heap_used_bytes') / 2 ** 20).toFixed(1).padEnd(9),
    String(sum(page, 'smtp_proxy_transactions_total')).padEnd(9),
    ((performance.now() - began) / 1000).toFixed(0),
  ]
  console.log(columns.join(' '))
  fail('unknown label value', unknownSeriesOn(page, { servers, listeners, clients: [] }))
  const log = proxy.lines.map((line) => JSON.stringify(line)).join('\n')
  // the proxy keeps all lines for tests; here they would only grow
  ;(proxy.lines as unknown[]).length = 0
  searched += log.length
  fail('leaked', secretText.foundIn(page + log + proxy.stderr))
  return new Set(own.map((line) => line.slice(0, line.lastIndexOf(' '))))
}

function fail(what: string, lines: readonly string[]): void {
  if (lines.length > 0) process.exitCode = 1
  for (const line of lines.slice(0, 50)) console.log(`${what}: ${line}`)
}

await main()
// after failed handshakes, Node 24 may spin forever at exit; this affects this process, not the proxy
process.exit()
