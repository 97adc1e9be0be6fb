/**
 * Renews the pictures in docs/images: `npm run pictures`, or with the names of some of them. Needs Chromium. Real proxies in
 * front of simulated AhaSends, with clocks that run fast, so it takes about three minutes.
 */
import { spawn } from 'node:child_process'
import { statSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Browser, BrowserContextOptions } from 'playwright-core'
import { linesOf, summaryOf } from '../../../app/check/output.ts'
import type { Finished } from '../../../app/check/steps/step.ts'
import type { TailLine } from '../../../status/tail/line.ts'
import { LineText } from '../../../status/tail/text.ts'
import { startSimulator } from '../../simulator/simulator.ts'
import { writeTemporaryFiles } from '../files/temporary-files.ts'
import { runProxyCommand } from '../processes/proxy-command.ts'
import { browserMissing, openBrowser, openPage } from '../status/browser.ts'
import { makeAuthority } from '../tls/certificates.ts'
import { HISTORY_MS, INCIDENT_MS } from './pace.ts'
import { startRehearsal } from './rehearsal.ts'
import { type Stage, startStage } from './stage.ts'
import { terminalPage } from './terminal.ts'

const IMAGES = fileURLToPath(new URL('../../../docs/images/', import.meta.url))
/** Pictures are in the repository and on a page that people read on slow networks. */
const MAX_BYTES = 250_000
/** A page is updated every two seconds. */
const SETTLE_MS = 5000

const DESKTOP = { viewport: { width: 1200, height: 900 } }
const TALL = { viewport: { width: 1200, height: 1250 } }
const PHONE = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 1.5 }

function takePage(browser: Browser, { proxy }: Stage, name: string, options: BrowserContextOptions) {
  return takeUrl(browser, `http://127.0.0.1:${proxy.adminPort}/`, name, options)
}

async function takeUrl(browser: Browser, url: string, name: string, options: BrowserContextOptions) {
  const { page } = await openPage(browser, url, options)
  await page.getByText('Live', { exact: true }).waitFor()
  await pause(SETTLE_MS)
  await save(name, (path) => page.screenshot({ path }))
  await page.context().close()
}

async function takeTerminal(browser: Browser, name: string, width: number, command: string, output: string) {
  const page = await browser.newPage({ viewport: { width, height: 300 } })
  await page.setContent(terminalPage(command, output))
  await save(name, (path) => page.locator('pre').screenshot({ path }))
  await page.close()
}

async function save(name: string, take: (path: string) => Promise<unknown>): Promise<void> {
  const path = `${IMAGES}${name}.png`
  await take(path)
  const { size } = statSync(path)
  console.log(`docs/images/${name}.png: ${Math.round(size / 1000)} kB`)
  if (size > MAX_BYTES) throw new Error(`${name}.png is larger than ${MAX_BYTES} bytes`)
}

async function takeCalm(browser: Browser): Promise<void> {
  await using stage = await startStage(1)
  await pause(HISTORY_MS)
  await takePage(browser, stage, 'status', DESKTOP)
  await takePage(browser, stage, 'status-dark', { ...DESKTOP, colorScheme: 'dark' })
  await takePage(browser, stage, 'status-phone', PHONE)
}

async function takeIncident(browser: Browser, name: string, begin: (stage: Stage) => unknown): Promise<void> {
  await using stage = await startStage(name.length, { newConnections: name === 'status-storm' })
  await pause(HISTORY_MS)
  await begin(stage)
  await pause(INCIDENT_MS)
  await takePage(browser, stage, name, TALL)
  if (name === 'status-storm') await takeTail(browser, stage)
}

/** With Prometheus and Alertmanager, so that an alert fires. */
async function takeRehearsal(browser: Browser): Promise<void> {
  await using rehearsal = await startRehearsal()
  await takeUrl(browser, rehearsal.url, 'rehearsal', DESKTOP)
  await takeUrl(browser, rehearsal.url, 'rehearsal-dark', { ...DESKTOP, colorScheme: 'dark' })
  await takeUrl(browser, rehearsal.url, 'rehearsal-phone', PHONE)
}

/** The lines of some seconds. Its colours are those of a terminal, which this process does not have. */
async function takeTail(browser: Browser, { proxy }: Stage): Promise<void> {
  const args = ['app/entry.js', 'tail', '--json', '--url', `http://127.0.0.1:${proxy.adminPort}`]
  const tail = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'ignore'] })
  const text = new LineText(true)
  const lines = [text.heading()]
  for await (const line of createInterface(tail.stdout)) {
    lines.push(text.of(JSON.parse(line) as TailLine))
    if (lines.length > 26) break
  }
  tail.kill()
  await takeTerminal(browser, 'tail', 1500, 'npm run tail', lines.join('\n'))
}

/** Three failures, formatted as on a terminal: an expired certificate of the listeners, a wrong password, and an OTLP receiver that is not there. */
async function takeCheck(browser: Browser): Promise<void> {
  // one of AhaSend's ports, if it is free here
  await using simulator = await startSimulator({ port: 2525 }).catch(() => startSimulator())
  const day = 86_400_000
  const { certPem, keyPem } = await (await makeAuthority()).issue({
    notBefore: new Date(Date.now() - 90 * day),
    notAfter: new Date(Date.now() - day / 2),
  })
  const files = writeTemporaryFiles({ 'cert.pem': certPem, 'key.pem': keyPem, login: 'app\nwrong\n', '.env': '' })
  const env = {
    PROXY_LISTEN: 'smtp://127.0.0.1:0',
    PROXY_ADMIN: 'off',
    PROXY_UPSTREAM: `smtp://localhost:${simulator.port}`,
    PROXY_UPSTREAM_CA_FILE: simulator.caFile,
    PROXY_TLS_CERT_FILE: files.paths['cert.pem'],
    PROXY_TLS_KEY_FILE: files.paths['key.pem'],
    PROXY_MAX_SESSIONS: '1000',
    OTEL_EXPORTER_OTLP_ENDPOINT: 'http://localhost:4318',
    SETTINGS_FILE: files.paths['.env'],
  }
  const { stdout } = await runProxyCommand(['check', '--json', '--login-file', files.paths.login], env)
  files.remove()
  const { steps } = JSON.parse(stdout) as { readonly steps: readonly (Finished & { readonly durationMs: number })[] }
  const finished = steps.map((step) => ({
    ...step,
    ms: step.durationMs,
    title: step.title.replace(/ \/.*\/\.env/, ' .env'),
  }))
  const terminal = { colours: true, width: 118 }
  const lines = finished.flatMap((step, index) => linesOf(step, finished[index - 1], terminal))
  const output = [...lines, summaryOf(finished, false)].join('\n')
  await takeTerminal(browser, 'check', 1090, 'npm run proxy:check -- --login-file login.txt', output)
}

const PICTURES: Readonly<Record<string, (browser: Browser) => Promise<void>>> = {
  status: takeCalm,
  'status-storm': (browser) =>
    takeIncident(browser, 'status-storm', ({ simulator }) =>
      simulator.faults.set('load-shedding', { probability: 0.8 }),
    ),
  'status-521': (browser) =>
    takeIncident(browser, 'status-521', ({ simulator }) => simulator.faults.set('account-disabled', {})),
  'status-unreachable': (browser) => takeIncident(browser, 'status-unreachable', ({ simulator }) => simulator.close()),
  check: takeCheck,
  rehearsal: takeRehearsal,
}

const missing = browserMissing()
if (missing) throw new Error(missing)
const wanted = process.argv.slice(2)
const browser = await openBrowser()
const tasks = Object.entries(PICTURES).filter(([name]) => wanted.length === 0 || wanted.includes(name))
await Promise.all(tasks.map(([, take]) => take(browser)))
await browser.close()
process.exit()
