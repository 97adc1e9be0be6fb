/**
 * Can strangers fill the memory of a Prometheus, or of the proxy? Plays hostile sessions over loopback sockets to the
 * proxy between a client and upstreams that all say what they like, and shows what becomes of the series on /metrics
 * and of the proxy's memory.
 *
 *   nice node bench/hostile.ts [--sessions 100000] [--at-once 50] [--seed 1]
 *
 * Exit code 1 when series of the proxy were added after the first thousand sessions, when a label has a value from
 * outside its set, or when anything that was said is on the page or in the log.
 */
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { SYSTEMATIC } from '../test/support/hostile/sessions.ts'
import { type HostileStage, openHostileStage } from '../test/support/hostile/stage.ts'
import { unknownSeriesOn } from '../test/support/telemetry/labels.ts'
import { showProgress } from './progress.ts'
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
  console.log('sessions  series  of the proxy  resident MB  heap MB  mails    seconds')
  const progress = showProgress('sessions', SESSIONS)
  let known = await look(stage, 0)
  for (let done = 0; done < SESSIONS; ) {
    const step = done === 0 ? SYSTEMATIC : Math.min(STEP - (done % STEP), SESSIONS - done)
    await stage.play(step, Number(values['at-once']))
    done += step
    const series = await look(stage, done)
    progress(done)
    if (done > SYSTEMATIC)
      complain(
        'added',
        [...series].filter((one) => !known.has(one)),
      )
    known = series
  }
  console.log(`${searched} characters of log were searched for pieces of what was said`)
}

/** Prints a row; returns the proxy's own series. */
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
    residentMb(proxy.pid).toFixed(1).padEnd(12),
    (sum(page, 'v8js_memory_heap_used_bytes') / 2 ** 20).toFixed(1).padEnd(8),
    String(sum(page, 'smtp_proxy_transactions_total')).padEnd(8),
    ((performance.now() - began) / 1000).toFixed(0),
  ]
  console.log(columns.join(' '))
  complain('not of a closed set', unknownSeriesOn(page, { servers, listeners, clients: [] }))
  const log = proxy.lines.map((line) => JSON.stringify(line)).join('\n')
  // kept for tests that want to look back; here it would only grow
  ;(proxy.lines as unknown[]).length = 0
  searched += log.length
  complain('leaked', secretText.foundIn(page + log + proxy.stderr))
  return new Set(own.map((line) => line.slice(0, line.lastIndexOf(' '))))
}

function complain(what: string, lines: readonly string[]): void {
  if (lines.length > 0) process.exitCode = 1
  for (const line of lines.slice(0, 50)) console.log(`${what}: ${line}`)
}

function residentMb(pid: number): number {
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024
}

await main()
// Node 24 may spin for ever in its own clean-up after handshakes that failed, here and not in the proxy
process.exit()
