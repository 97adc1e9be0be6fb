/**
 * Records what the proxy exports during each incident of the control page: the apps of a rehearsal send for some minutes,
 * and a copy of the scrape page is kept every 15 seconds. test/rehearsal/expected-alerts.test.ts plays the recordings to
 * the rules, so that the times on the page are those of the rules.
 *
 *     node test/rehearsal/record.ts
 *
 * rewrites test/rehearsal/recordings.json in about 8 minutes. Repeat it when the apps, the incidents or the names of
 * metrics change. Ctrl-C leaves the file as it is.
 */
import { writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { rulesOf } from '../../dashboards/alerts/alerts.ts'
import { startMail } from '../demo/mail.ts'
import { parseMetrics, type Sample } from '../demo/metrics.ts'
import { startProxy } from '../demo/proxy.ts'
import { seededRandom } from '../simulator/random.ts'
import { REHEARSALS, rehearse } from '../simulator/rehearsals.ts'
import { startSimulator } from '../simulator/simulator.ts'
import { APPS_BY_ADDRESS, CLIENTS } from './apps.ts'
import { RECORDINGS_FILE, type Recording, STEP_SECONDS } from './recordings.ts'

/** Scrapes with normal mail, and then with the incident. */
const CALM = 4
const FAULTY = 12
/** Incidents that are recorded at the same time. More of them slow down each other. */
const AT_A_TIME = 7

/** The metrics that a rule reads. */
const EXPRESSIONS = JSON.stringify(rulesOf())

/** Metrics of which no incident changes the alerts: large messages, long sessions and certificates. */
const WITHOUT = /^smtp_proxy_(message_|session_messages|certificate_|telemetry_)/

/** Of the times of replies, rules read only those of final replies. */
function isRead({ name, labels }: Sample): boolean {
  if (!EXPRESSIONS.includes(name) || WITHOUT.test(name)) return false
  return !name.startsWith('smtp_proxy_command_duration') || labels.smtp_command === 'END-OF-MESSAGE'
}

/** The samples that rules read, by series. */
function samplesOf(page: string): ReadonlyMap<string, number> {
  const samples = parseMetrics(page).filter(isRead)
  return new Map(samples.map(({ name, labels, value }) => [seriesOf(name, labels), value]))
}

function seriesOf(name: string, labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([label, value]) => `${label}=${JSON.stringify(value)}`)
  return `${name}{${pairs.join(', ')}}`
}

/** One incident: its scrapes, and for each series the value at each scrape, or null before the series exists. */
async function record(id: string): Promise<Recording> {
  await using simulator = await startSimulator({ seed: 1, ledger: 'summary' })
  const ports = { PROXY_LISTEN: 'smtp://127.0.0.1:0', PROXY_ADMIN: 'http://127.0.0.1:0' }
  const settings = { ...ports, PROXY_CLIENTS: CLIENTS }
  const proxy = await startProxy(simulator.port, simulator.caFile, () => {}, settings)
  const mail = startMail({ host: '127.0.0.1', port: proxy.port }, seededRandom(1), APPS_BY_ADDRESS)
  const scrapes: ReadonlyMap<string, number>[] = []
  for (let scrape = 0; scrape < CALM + FAULTY; scrape += 1) {
    if (scrape === CALM) rehearse(id, simulator.faults)
    await sleep(STEP_SECONDS * 1000)
    scrapes.push(samplesOf(await proxy.metrics()))
  }
  await mail.stop()
  await proxy.stop()
  const names = [...new Set(scrapes.flatMap((samples) => [...samples.keys()]))].sort()
  const values = (name: string) => scrapes.map((samples) => samples.get(name) ?? null)
  const series = Object.fromEntries(names.map((name) => [name, values(name)]))
  return { calm: CALM, series: Object.fromEntries(Object.entries(series).filter(([, all]) => changes(all))) }
}

/** Buckets and counters that stay at zero say nothing. */
function changes(values: readonly (number | null)[]): boolean {
  return values.some((value) => value !== 0 && value !== null)
}

const recordings: Record<string, Recording> = {}
for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)
  process.once(signal, () => {
    const done = Object.keys(recordings).length
    console.error(`Interrupted: ${done} of ${REHEARSALS.length} incidents recorded, recordings.json is unchanged.`)
    // which also ends the proxies
    process.exit(code)
  })
const ids = REHEARSALS.map(({ id }) => id)
while (ids.length > 0) {
  const batch = ids.splice(0, AT_A_TIME)
  console.log(`recording ${batch.join(', ')} for ${((CALM + FAULTY) * STEP_SECONDS) / 60} minutes`)
  const done = await Promise.all(batch.map(record))
  for (const [index, id] of batch.entries()) recordings[id] = done[index]!
}
const rows = Object.entries(recordings).map(([id, { calm, series }]) => {
  const lines = Object.entries(series).map(([name, values]) => `${JSON.stringify(name)}:${JSON.stringify(values)}`)
  return `${JSON.stringify(id)}: {"calm": ${calm}, "series": {\n${lines.join(',\n')}}}`
})
writeFileSync(RECORDINGS_FILE, `{${rows.join(',\n')}}\n`)
process.exit()
