/** The Docker Swarm example: what the file says, and a rolling update of two proxies that relay mail. */
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { parse } from 'yaml'
import packageJson from '../../package.json' with { type: 'json' }
import { EXIT_MS } from '../../proxy/settings/stop-grace.ts'
import { SETTINGS as ROWS } from '../../proxy/settings/table.ts'
import type { Summary } from '../simulator/ledger.ts'
import { DEFAULT_ACCOUNT } from '../simulator/simulator.ts'
import { plainEnvironment } from '../support/containers/compose.ts'
import { dockerOutput, engineMissing, IMAGES, imageMissing, ROOT } from '../support/containers/engine.ts'
import { buildRehearsal } from '../support/containers/images.ts'
import { type PrivateEngine, privateEngineMissing, startPrivateEngine } from '../support/containers/private-engine.ts'
import { writeTemporaryFiles } from '../support/files/temporary-files.ts'
import { unless } from '../support/programs/programs.ts'
import { makeAuthority } from '../support/tls/certificates.ts'
import { until } from '../support/waiting/until.ts'

const FOLDER = join(ROOT, 'deploy', 'swarm')
const FILE = join(FOLDER, 'stack.yaml')
const STACK = 'mail-proxy'
const PROXY_IMAGE = 'ahasend-smtp-proxy:swarm-test'
const REHEARSAL_IMAGE = 'ahasend-smtp-proxy-rehearsal:swarm-test'

/** Pulls the digest of no image, because those of the test are only here. */
const LOCAL = ['--resolve-image', 'never']
const LIMIT = { limitMs: 120_000, everyMs: 500 }

interface StackFile {
  readonly services: {
    readonly proxy: {
      readonly image: string
      readonly stop_grace_period: string
      readonly environment: Readonly<Record<string, string>>
      readonly deploy: { readonly update_config: { readonly order: string; readonly failure_action: string } }
    }
  }
  readonly configs: Readonly<Record<string, { readonly name: string; readonly file: string }>>
}

describe('The Swarm example', unless(engineMissing()), () => {
  const read = () =>
    parse(dockerOutput(['stack', 'config', '--compose-file', FILE], { env: plainEnvironment() })) as StackFile

  test('is accepted, and uses the image of this version', () => {
    assert.equal(read().services.proxy.image, `ghcr.io/ahasend/ahasend-smtp-proxy:${packageJson.version}`)
  })

  test('starts a new proxy before it stops an old one, and gives that more time than a drain takes', () => {
    const { deploy, environment, stop_grace_period } = read().services.proxy
    assert.deepEqual([deploy.update_config.order, deploy.update_config.failure_action], ['start-first', 'rollback'])
    const { drainTimeoutMs, stopGraceMs } = ROWS
    const [drain, grace] = [
      drainTimeoutMs.read(drainTimeoutMs.default),
      stopGraceMs.read(environment.PROXY_STOP_GRACE ?? ''),
    ]
    assert.ok('value' in drain && 'value' in grace)
    assert.ok(grace.value >= drain.value + 15_000 + EXIT_MS)
    assert.deepEqual(stopGraceMs.read(stop_grace_period), grace)
  })

  test('has a name for each configuration that changes with the version, because Swarm never changes one', () => {
    for (const { name } of Object.values(read().configs)) assert.ok(name.endsWith(`-${packageJson.version}`), name)
  })

  test('stays below the limit of Swarm for a configuration, which is 500 KB', () => {
    for (const { file } of Object.values(read().configs)) assert.ok(readFileSync(file).length < 500_000, file)
  })
})

const NEEDED = [
  engineMissing(),
  privateEngineMissing(),
  imageMissing(IMAGES.NODE_IMAGE),
  imageMissing(IMAGES.PROMETHEUS_IMAGE),
]

/**
 * An app that sends one message after the other over TLS, verifies the certificate, and prints its counts when it is
 * stopped. It looks up the name for each message, because nodemailer would use an address for five minutes.
 */
const APP = `
  import { lookup } from 'node:dns/promises'
  import { setTimeout } from 'node:timers/promises'
  import { createTransport } from 'nodemailer'
  const counts = { accepted: 0, failed: 0 }
  let stopped = false
  process.on('SIGTERM', () => { stopped = true })
  while (!stopped) {
    try {
      const { address: host } = await lookup('proxy')
      const to = { host, port: 2525, requireTLS: true, tls: { servername: 'proxy' }, connectionTimeout: 3000 }
      await createTransport({ ...to, auth: ${JSON.stringify(DEFAULT_ACCOUNT)} })
        .sendMail({ from: 'app@example.com', to: 'user@example.net', text: 'x' })
      counts.accepted++
    } catch (error) {
      if (counts.failed++ === 0) console.log(error.message)
    }
    await setTimeout(100)
  }
  console.log(JSON.stringify(counts))`

/** What the test adds: a simulated AhaSend and an app. Without IPVS in the kernel, Swarm has no virtual addresses. */
const added = (caFile: string) => ({
  version: '3.9',
  services: {
    proxy: {
      environment: { PROXY_UPSTREAM_CA_FILE: '/certificates/ca.pem' },
      volumes: ['certificates:/certificates:ro'],
      deploy: { endpoint_mode: 'dnsrr', update_config: { monitor: '2s' } },
    },
    rehearsal: {
      image: REHEARSAL_IMAGE,
      networks: ['mail'],
      volumes: ['certificates:/certificates'],
      deploy: { endpoint_mode: 'dnsrr' },
    },
    app: {
      image: REHEARSAL_IMAGE,
      networks: ['mail'],
      command: ['--input-type=module', '--eval', APP.replaceAll('$', '$$$$')],
      environment: { NODE_EXTRA_CA_CERTS: '/ca.pem' },
      configs: [{ source: 'ca', target: '/ca.pem' }],
      healthcheck: { disable: true },
    },
  },
  volumes: { certificates: {} },
  configs: { ca: { file: caFile } },
})

interface Task {
  readonly DesiredState: string
  readonly Status: {
    readonly State: string
    readonly ContainerStatus?: { readonly ContainerID: string; readonly ExitCode: number }
  }
}

let engine: PrivateEngine

describe('A rolling update in Swarm', unless(...NEEDED), () => {
  before(async () => {
    dockerOutput(['build', '--quiet', '--tag', PROXY_IMAGE, '--build-arg', `NODE_IMAGE=${IMAGES.NODE_IMAGE}`, '.'], {
      ms: 300_000,
    })
    await buildRehearsal(REHEARSAL_IMAGE)
    engine = await startPrivateEngine([PROXY_IMAGE, REHEARSAL_IMAGE, IMAGES.PROMETHEUS_IMAGE])
    engine.output(['swarm', 'init', '--advertise-addr', '127.0.0.1'])
    await deploy()
  })
  after(async () => {
    engine?.docker(['stack', 'rm', STACK])
    await until('no container runs', () => engine.output(['ps', '--quiet']) === '', LIMIT)
    await engine?.stop()
  })

  test('starts two healthy proxies, and Prometheus scrapes each of them', async () => {
    await until('two proxies run', () => running('proxy').length === 2, LIMIT)
    await until('Prometheus runs', () => running('prometheus').length === 1, LIMIT)
    const query = encodeURIComponent('sum(up{job="ahasend-smtp-proxy"})')
    await until(
      'Prometheus scrapes both',
      () =>
        /"value":\[[^,]*,"2"\]/.test(
          exec('prometheus', ['wget', '-qO-', `http://127.0.0.1:9090/api/v1/query?query=${query}`]),
        ),
      LIMIT,
    )
  })

  test('replaces both proxies: each drains and exits with 0, and no message is lost or duplicated', async (context) => {
    await accepted(5)
    const old = running('proxy').map(containerId)
    engine.output(['service', 'update', '--force', '--quiet', `${STACK}_proxy`], { ms: 240_000 })
    const state = engine.output(['service', 'inspect', '--format', '{{.UpdateStatus.State}}', `${STACK}_proxy`])
    assert.equal(state.trim(), 'completed')
    await until('the old proxies have exited', () => tasksOf('proxy').filter(isGone).length === 2, LIMIT)
    const exits = tasksOf('proxy').filter(isGone)
    assert.deepEqual(exits.map(containerId).sort(), old.sort())
    assert.deepEqual(
      exits.map(({ Status }) => Status.ContainerStatus?.ExitCode),
      [0, 0],
    )
    await accepted(5)
    const ofApp = await stopApp()
    context.diagnostic(`${ofApp} messages`)
    const { messages, inDoubt } = ledger()
    assert.deepEqual([messages.accepted, messages.refused, inDoubt], [ofApp, 0, 0])
  })
})

async function deploy(): Promise<void> {
  const authority = await makeAuthority()
  const { certPem, keyPem } = await authority.issue({ dnsNames: ['proxy'] })
  const files = writeTemporaryFiles({
    'ca.pem': authority.certPem,
    certificate: certPem,
    key: keyPem,
    'added.yaml': '',
  })
  for (const name of ['certificate', 'key'] as const)
    engine.output(['secret', 'create', `proxy-${name}-1`, files.paths[name]])
  writeFileSync(files.paths['added.yaml'], JSON.stringify(added(files.paths['ca.pem'])))
  const env = { ...plainEnvironment(), ...IMAGES, PROXY_IMAGE, PROXY_UPSTREAM: 'smtp://rehearsal:2525' }
  const both = ['--compose-file', FILE, '--compose-file', files.paths['added.yaml']]
  engine.output(['stack', 'deploy', '--detach', ...LOCAL, ...both, STACK], { env })
  files.remove()
}

/** All tasks of a service, also those that have ended. */
function tasksOf(service: string): Task[] {
  const ids = engine.output(['service', 'ps', '--quiet', '--no-trunc', `${STACK}_${service}`]).trim()
  return ids === '' ? [] : (JSON.parse(engine.output(['inspect', '--type', 'task', ...ids.split('\n')])) as Task[])
}

/** Swarm calls a task running once it is healthy. */
function running(service: string): Task[] {
  return tasksOf(service).filter(({ DesiredState, Status }) => DesiredState === 'running' && Status.State === 'running')
}

/** Tasks that failed before the simulated AhaSend had written its certificate authority had no mail to lose. */
function isGone({ DesiredState, Status }: Task): boolean {
  return DesiredState === 'shutdown' && ['complete', 'shutdown'].includes(Status.State)
}

function containerId({ Status }: Task): string {
  return Status.ContainerStatus?.ContainerID ?? ''
}

/** The output of a command in the container of a service with one task. */
function exec(service: string, command: readonly string[]): string {
  const [task] = running(service)
  assert.ok(task, `${service} runs`)
  return engine.docker(['exec', containerId(task), ...command]).stdout
}

function ledger(): Summary {
  const print = `fetch('http://127.0.0.1:8025/ledger').then((response) => response.text()).then(console.log)`
  return JSON.parse(exec('rehearsal', ['/usr/local/bin/node', '--eval', print])) as Summary
}

/** Waits until AhaSend has accepted `more` further messages. */
async function accepted(more: number): Promise<void> {
  await until('AhaSend runs', () => running('rehearsal').length === 1, LIMIT)
  const before = ledger().messages.accepted
  await until(`AhaSend accepts ${more} more messages`, () => ledger().messages.accepted >= before + more, LIMIT)
}

/** Stops the app. Returns the number of messages that it knows to be accepted. */
async function stopApp(): Promise<number> {
  const [task] = running('app')
  assert.ok(task, 'the app runs')
  engine.output(['kill', '--signal', 'TERM', containerId(task)])
  const report = () => /\{"accepted":(\d+),.*\}\n$/.exec(engine.output(['logs', containerId(task)]))?.[1]
  return Number(await until('the app prints its counts', report, LIMIT))
}
