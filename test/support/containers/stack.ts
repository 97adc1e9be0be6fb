/** Starts services of compose.yaml with a simulated AhaSend, for tests of running containers. */

import assert from 'node:assert/strict'
import { createInterface } from 'node:readline'
import { DockerComposeEnvironment, GenericContainer, type StartedTestContainer, Wait } from 'testcontainers'
import type { Summary } from '../../simulator/ledger.ts'
import { type Call, type Calls, calledNow } from '../monitoring/alertmanager.ts'
import { Arrivals } from '../waiting/arrivals.ts'
import { until } from '../waiting/until.ts'
import { BUILDING, fileArguments, plainEnvironment } from './compose.ts'
import { dockerOutput, IMAGES, ROOT } from './engine.ts'
import { inspect } from './images.ts'

/** Names of the images that tests build, and free ports. */
export const SETTINGS = {
  ...IMAGES,
  PROXY_IMAGE: 'ahasend-smtp-proxy:compose-test',
  REHEARSAL_IMAGE: 'ahasend-smtp-proxy-rehearsal:compose-test',
  SMTP_PUBLISH: '127.0.0.1:0',
  GRAFANA_PUBLISH: '127.0.0.1:0',
  ADMIN_PUBLISH: '127.0.0.1:0',
  REHEARSAL_PUBLISH: '127.0.0.1:0',
  // ignore the .env of a developer
  SETTINGS_FILE: '/dev/null',
}

/** An upstream that does not exist, so that no test sends anything to AhaSend. */
export const NOWHERE = { PROXY_UPSTREAM: 'smtp://nowhere.invalid:587', OTEL_EXPORTER_OTLP_ENDPOINT: '' }

/**
 * Runs a command of Compose in a project whose mail goes nowhere. Returns its output, and throws if the command fails or takes
 * longer than five minutes.
 */
export function composeNowhere(project: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): string {
  const command = ['compose', ...fileArguments(BUILDING), '--project-name', project, ...args]
  return dockerOutput(command, { env: { ...plainEnvironment(), ...SETTINGS, ...NOWHERE, ...env }, ms: 300_000 })
}

const LIMIT_MS = 60_000

/** The part of a container's description that tests check. */
export interface Description {
  readonly Config: { readonly User: string }
  readonly State: { readonly Status: string; readonly ExitCode: number; readonly Health?: { readonly Status: string } }
  readonly HostConfig: {
    readonly ReadonlyRootfs: boolean
    readonly CapDrop: readonly string[]
    readonly Memory: number
    readonly PortBindings: Readonly<Record<string, readonly { readonly HostIp: string }[]>>
  }
  readonly NetworkSettings: { readonly Networks: Readonly<Record<string, unknown>> }
}

/** Running services of compose.yaml. */
export interface Stack {
  container(service: string): StartedTestContainer
  /** The current description of a service's container. */
  describe(service: string): Description
  /** Waits until each of these services is healthy. */
  healthy(services: readonly string[]): Promise<void>
  /** Removes everything, including volumes. */
  down(): Promise<void>
}

export interface StackOptions {
  /** Further settings. */
  readonly env?: Readonly<Record<string, string>>
  /** False leaves out the settings of rehearsal.env. Default true. */
  readonly rehearsal?: boolean
}

/** Starts services of compose.yaml. */
export async function startStack(
  services: string[],
  { env = {}, rehearsal = true }: StackOptions = {},
): Promise<Stack> {
  const started = await new DockerComposeEnvironment(ROOT, [...BUILDING])
    .withEnvironmentFile(rehearsal ? 'rehearsal.env' : '/dev/null')
    .withEnvironment({ ...SETTINGS, ...env })
    .withBuild()
    .up(services)
  const container = (service: string) => started.getContainer(`${service}-1`)
  const describe = (service: string) => inspect<Description>(container(service).getId())
  return {
    container,
    describe,
    async healthy(names) {
      for (const name of names)
        await until(`${name} is healthy`, () => describe(name).State.Health?.Status === 'healthy')
    },
    down: async () => void (await started.down({ removeVolumes: true })),
  }
}

/** A webhook in a container on Alertmanager's network, which records its calls. */
export interface WebhookContainer {
  readonly calls: Calls
  stop(): Promise<void>
}

const WEBHOOK_PORT = 8080

/** The URL of the webhook's container with this name. */
export function webhookUrl(name: string): string {
  return `http://${name}:${WEBHOOK_PORT}/`
}

/** Prints each request body as a line. */
const WEBHOOK = `require('node:http').createServer(async (request, response) => {
  console.log(JSON.stringify(await require('node:stream/consumers').json(request)))
  response.end()
}).listen(${WEBHOOK_PORT}, () => console.log('listening'))`

/** Starts it where Alertmanager is, under a name that Alertmanager's settings have. */
export async function startWebhookIn(stack: Stack, name: string): Promise<WebhookContainer> {
  const [network = ''] = Object.keys(stack.describe('alertmanager').NetworkSettings.Networks)
  const calls = new Arrivals<Call>()
  const container = await new GenericContainer(SETTINGS.REHEARSAL_IMAGE)
    .withName(name)
    .withNetworkMode(network)
    .withCommand(['--eval', WEBHOOK])
    .withWaitStrategy(Wait.forLogMessage('listening'))
    .withLogConsumer((log) => {
      createInterface(log).on('line', (line) => {
        if (line.startsWith('{')) calls.add(calledNow(JSON.parse(line) as Omit<Call, 'at'>))
      })
    })
    .start()
  return { calls, stop: async () => void (await container.stop()) }
}

/** Waits until `look` returns true, at most for a minute. */
export async function eventually(what: string, look: () => boolean | Promise<boolean>): Promise<void> {
  await until(what, look, { limitMs: LIMIT_MS, everyMs: 250 })
}

function urlOf(rehearsal: StartedTestContainer, path: string): string {
  return `http://127.0.0.1:${rehearsal.getMappedPort(8025)}${path}`
}

/** Waits until AhaSend has accepted `more` further messages. */
export async function accepted(rehearsal: StartedTestContainer, more: number): Promise<void> {
  const count = async () => ((await (await fetch(urlOf(rehearsal, '/ledger'))).json()) as Summary).messages.accepted
  const before = await count()
  await eventually(`AhaSend accepts ${more} more messages`, async () => (await count()) >= before + more)
}

/** Presses a button on the control page. */
export async function press(rehearsal: StartedTestContainer, button: string): Promise<void> {
  const { status } = await fetch(urlOf(rehearsal, `/rehearsals/${button}`), { method: 'POST', redirect: 'manual' })
  assert.equal(status, 303)
}

/** The part of the control page about alerts, as HTML. */
export async function alertsOnPage(rehearsal: StartedTestContainer): Promise<string> {
  const { parts } = (await (await fetch(urlOf(rehearsal, '/live'))).json()) as { parts: { alerts: string } }
  return parts.alerts
}

/** Fetches a URL from a container with Node: status and body, or undefined when the container cannot reach it. */
export async function fetched(
  container: StartedTestContainer,
  url: string,
): Promise<{ readonly status: number; readonly body: string } | undefined> {
  const look = `fetch(${JSON.stringify(url)}).then(async (response) =>
    console.log(JSON.stringify({ status: response.status, body: await response.text() })), () => console.log('{}'))`
  const { output } = await container.exec(['/usr/local/bin/node', '--eval', look])
  const answer = JSON.parse(output) as { readonly status?: number; readonly body?: string }
  return answer.status === undefined ? undefined : { status: answer.status, body: answer.body ?? '' }
}

/** Prints the code of a server's greeting, or why there is none. */
export function greetingOf(host: string, port = 2525): string {
  return `const socket = require('node:net').connect({ host: ${JSON.stringify(host)}, port: ${port} })
  socket.once('data', (reply) => { console.log(String(reply).slice(0, 3)); socket.destroy() })
  socket.on('error', ({ code }) => console.log(code))`
}

/** Requests Prometheus' API inside its container, with wget, because its port is not published. */
export async function asked<Data>(prometheus: StartedTestContainer, path: string): Promise<Data> {
  const { output } = await prometheus.exec(['wget', '-q', '-O', '-', `http://127.0.0.1:9090${path}`])
  return (JSON.parse(output) as { readonly data: Data }).data
}

/** The current sum of an expression; 0 without series. */
export async function sumOf(prometheus: StartedTestContainer, expression: string): Promise<number> {
  const path = `/api/v1/query?query=${encodeURIComponent(`sum(${expression})`)}`
  const { result } = await asked<{ result: readonly { readonly value: readonly [number, string] }[] }>(prometheus, path)
  return Number(result[0]?.value[1] ?? 0)
}
