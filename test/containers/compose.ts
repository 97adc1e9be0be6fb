/**
 * The running stack of compose.yaml, with the available images: its services, its networks, its mail and its metrics.
 */

import assert from 'node:assert/strict'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { BUILDING, plainEnvironment } from '../support/containers/compose.ts'
import {
  composeMissing,
  docker,
  dockerOutput,
  engineMissing,
  IMAGES,
  imageMissing,
  ROOT,
} from '../support/containers/engine.ts'
import {
  accepted,
  alertsOnPage,
  asked,
  eventually,
  fetched,
  greetingOf,
  NOWHERE,
  press,
  SETTINGS,
  type Stack,
  startStack,
  sumOf,
} from '../support/containers/stack.ts'
import { temporaryDirectory } from '../support/files/temporary-files.ts'
import { unless } from '../support/programs/programs.ts'
import { connectClient } from '../support/sockets/scripted-peers.ts'

/** The distinct `docker compose exec` commands of the runbooks for these services: service and command. */
function commandsOfRunbooks(services: readonly string[]): (readonly [service: string, ...command: string[]])[] {
  const folder = join(ROOT, 'dashboards', 'runbooks')
  const texts = readdirSync(folder).map((file) => readFileSync(join(folder, file), 'utf8'))
  const found = texts.flatMap((text) =>
    [...text.matchAll(/`docker compose exec ([^`]+)`/g)].map(([, rest = '']) => rest),
  )
  return [...new Set(found)].map((rest) => {
    const [service = '', ...command] = rest.split(' ')
    assert.ok(services.includes(service), rest)
    return [service, ...command]
  })
}

const own = [engineMissing(), composeMissing(), imageMissing(IMAGES.NODE_IMAGE)]
const others = [imageMissing(IMAGES.PROMETHEUS_IMAGE), imageMissing(IMAGES.ALERTMANAGER_IMAGE)]

describe('The stack', unless(...own, ...others), () => {
  const services = ['proxy', 'prometheus', 'alertmanager', 'rehearsal', 'traffic']
  let stack: Stack
  before(async () => {
    stack = await startStack(services)
  })
  after(() => stack?.down())

  test('becomes healthy, service by service', async () => {
    await stack.healthy(services)
  })

  test('runs nothing as root, with read-only root file systems and memory limits', () => {
    for (const service of services) {
      const { Config, HostConfig } = stack.describe(service)
      assert.doesNotMatch(Config.User, /^(|0|root)(:.*)?$/, service)
      assert.deepEqual([HostConfig.ReadonlyRootfs, HostConfig.CapDrop], [true, ['ALL']], service)
      assert.ok(HostConfig.Memory > 0, service)
    }
  })

  test('publishes only SMTP, the status page and the control page, and only on this machine', () => {
    const bindings = services.flatMap((service) => Object.entries(stack.describe(service).HostConfig.PortBindings))
    const published = bindings.map(([port, hosts]) => [port, ...hosts.map(({ HostIp }) => HostIp)].join(' '))
    assert.deepEqual(published.sort(), ['2525/tcp 127.0.0.1', '8025/tcp 127.0.0.1', '9464/tcp 127.0.0.1'])
  })

  test('makes the configuration of Alertmanager, which contains secrets, readable only by its user', async () => {
    const alertmanager = stack.container('alertmanager')
    const { output } = await alertmanager.exec(['ls', '-ln', '/config/alertmanager.yml'])
    assert.match(output, /^-rw-------\s+1\s+65534\s+65534\s/)
    assert.equal((await alertmanager.exec(['cat', '/config/alertmanager.yml'])).exitCode, 0)
  })

  test('relays mail, and Prometheus counts it', async () => {
    await accepted(stack.container('rehearsal'), 5)
    const counted = 'smtp_proxy_transactions_total{smtp_transaction_outcome="accepted"}'
    await eventually(
      'Prometheus has counted a message',
      async () => (await sumOf(stack.container('prometheus'), counted)) > 0,
    )
  })

  test('has alerting rules and an Alertmanager', async () => {
    const prometheus = stack.container('prometheus')
    const { groups } = await asked<{ groups: readonly unknown[] }>(prometheus, '/api/v1/rules?type=alert')
    assert.ok(groups.length > 0)
    await eventually('Prometheus has found Alertmanager', async () => {
      const found = await asked<{ activeAlertmanagers: readonly unknown[] }>(prometheus, '/api/v1/alertmanagers')
      return found.activeAlertmanagers.length === 1
    })
  })

  test('can run the commands of the runbooks in its containers', async () => {
    const commands = commandsOfRunbooks(services)
    assert.ok(commands.length > 3)
    for (const [service, ...command] of commands) {
      const { exitCode, output } = await stack.container(service).exec(command)
      assert.equal(exitCode, 0, `${service}: ${command.join(' ')}: ${output}`)
    }
  })

  test('has no target of Prometheus that is missing: the probe does not run', async () => {
    const { activeTargets } = await asked<{ activeTargets: readonly { readonly labels: { readonly job: string } }[] }>(
      stack.container('prometheus'),
      '/api/v1/targets?state=active',
    )
    const jobs = activeTargets.map(({ labels }) => labels.job)
    assert.deepEqual(jobs.toSorted(), ['ahasend-smtp-proxy', 'alertmanager'])
  })

  test('hides the monitoring from apps', async () => {
    const app = stack.container('traffic')
    for (const url of ['http://prometheus:9090/', 'http://alertmanager:9093/', 'http://tempo:3200/'])
      assert.equal(await fetched(app, url), undefined, url)
    assert.equal(await fetched(app, 'http://proxy:9464/readyz'), undefined)
    const { output } = await app.exec(['/usr/local/bin/node', '--eval', greetingOf('proxy')])
    assert.equal(output.trim(), '220')
  })

  test('lets the control page see which alerts fire', async () => {
    const shown = () => alertsOnPage(stack.container('rehearsal'))
    await eventually('the page reaches Alertmanager', async () => /From Alertmanager at/.test(await shown()))
  })

  test('relays mail without Tempo, and counts lost spans', async () => {
    const lost = 'smtp_proxy_telemetry_lost_total{telemetry_signal="traces"}'
    await eventually('lost spans are counted', async () => (await sumOf(stack.container('prometheus'), lost)) > 0)
    await accepted(stack.container('rehearsal'), 5)
  })

  test('sends 521 after one button on the control page, and stops after another', async () => {
    await press(stack.container('rehearsal'), 'account-disabled')
    const refused = 'smtp_proxy_replies_total{smtp_reply_cause="account_disabled"}'
    await eventually(
      'Prometheus has counted a 521',
      async () => (await sumOf(stack.container('prometheus'), refused)) > 0,
    )
    await press(stack.container('rehearsal'), 'all-well')
    await accepted(stack.container('rehearsal'), 5)
  })

  test('drains the proxy when it is stopped', () => {
    dockerOutput(['stop', '--time', '45', stack.container('proxy').getId()])
    const { Status, ExitCode } = stack.describe('proxy').State
    assert.deepEqual([Status, ExitCode], ['exited', 0])
  })
})

describe('The proxy alone', unless(...own), () => {
  let stack: Stack
  before(async () => {
    stack = await startStack(['proxy'], { env: NOWHERE, rehearsal: false })
  })
  after(() => stack?.down())

  test('starts without the other services, is healthy, and serves clients', async () => {
    assert.throws(() => stack.container('tempo'))
    await stack.healthy(['proxy'])
    const client = await connectClient({ port: stack.container('proxy').getMappedPort(2525), limitMs: 20_000 })
    assert.match(await client.readReply(), /^421 4\.4\.1 /)
    await client.end()
  })
})

describe('In another project', unless(...own), () => {
  const { path: directory, remove } = temporaryDirectory('project-')
  const compose = (args: readonly string[], settings: Readonly<Record<string, string>> = {}) => {
    const project = ['compose', '--project-name', `included-${process.pid}`, '--file', join(directory, 'compose.yaml')]
    const env = { ...plainEnvironment(), ...SETTINGS, ...NOWHERE, ...settings }
    return docker([...project, ...args], { env, ms: 300_000 })
  }
  after(() => {
    compose(['down', '--volumes'])
    remove()
  })

  test('an app reaches the included proxy by its name, once that is healthy', () => {
    const app = {
      image: SETTINGS.REHEARSAL_IMAGE,
      command: ['--eval', greetingOf('proxy')],
      depends_on: { proxy: { condition: 'service_healthy' } },
    }
    const file = { include: [{ path: BUILDING.map((name) => join(ROOT, name)) }], services: { app } }
    writeFileSync(join(directory, 'compose.yaml'), JSON.stringify(file))
    const built = compose(['--profile', 'rehearsal', 'build', 'proxy', 'rehearsal'])
    assert.ok(built.ok, built.stderr)
    const { ok, stdout, stderr } = compose(['run', '--rm', 'app'])
    assert.ok(ok, stderr)
    assert.equal(stdout.trim(), '421')
  })

  test('misspelled names in its .env are reported', () => {
    const file = join(directory, 'settings')
    writeFileSync(file, 'PROXY_LISTN=smtp://0.0.0.0:25\nALERT_WEBHOK_URL=https://example.com/\nPROBE_PASWORD=hunter2\n')
    const run = (...args: readonly string[]) => compose(['run', '--rm', '--no-deps', ...args], { SETTINGS_FILE: file })
    const check = run('proxy-names')
    assert.equal(check.ok, false)
    assert.match(check.stderr + check.stdout, /^PROXY_LISTN: .* Did you mean PROXY_LISTEN\?$/m)
    const alerts = run('alertmanager-config')
    assert.equal(alerts.ok, false)
    assert.match(alerts.stderr + alerts.stdout, /^ALERT_WEBHOK_URL: .* Did you mean ALERT_WEBHOOK_URL\?$/m)
    const probe = run('probe-names')
    assert.equal(probe.ok, false)
    assert.match(probe.stderr + probe.stdout, /^PROBE_PASWORD: .* Did you mean PROBE_PASSWORD\?$/m)
  })
})
