/**
 * Several proxies of compose.yaml are restarted, killed and added while apps send: the profile `ha`, with HAProxy, and the
 * service proxy with three containers, whose name has three addresses.
 */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { Apps, UNNAMED } from '../replicas/apps.ts'
import { triesOf } from '../replicas/books.ts'
import type { Summary } from '../simulator/ledger.ts'
import { plainEnvironment } from '../support/containers/compose.ts'
import {
  composeMissing,
  docker,
  dockerOutput,
  engineMissing,
  IMAGES,
  imageMissing,
} from '../support/containers/engine.ts'
import { inspect } from '../support/containers/images.ts'
import { asked, eventually, greetingOf, SETTINGS, type Stack, startStack } from '../support/containers/stack.ts'
import { unless } from '../support/programs/programs.ts'
import { until } from '../support/waiting/until.ts'

const { NODE_IMAGE, PROMETHEUS_IMAGE, HAPROXY_IMAGE } = IMAGES
const images = [NODE_IMAGE, PROMETHEUS_IMAGE, HAPROXY_IMAGE].map(imageMissing)

const ENV = {
  // for the removal at the end, too
  COMPOSE_PROFILES: 'rehearsal,ha',
  HAPROXY_PUBLISH: '127.0.0.1:0',
  HAPROXY_SUBNET: '10.215.88.0/28',
  PROXY_DRAIN_TIMEOUT: '3s',
}

interface Target {
  readonly labels: { readonly job: string }
  readonly health: string
}

describe('Replicas behind HAProxy', unless(engineMissing(), composeMissing(), ...images), () => {
  let stack: Stack
  let apps: Apps

  before(async () => {
    stack = await startStack(['proxy', 'replica', 'haproxy', 'rehearsal', 'prometheus'], { env: ENV })
    await stack.healthy(['proxy', 'replica', 'haproxy'])
    const to = { host: '127.0.0.1', port: stack.container('haproxy').getMappedPort(2525) }
    apps = new Apps({ to, senders: 3, everyMs: 200, apps: UNNAMED })
  })
  after(async () => {
    await apps?.stop()
    await stack?.down()
  })

  const replicas = () => containersOf(stack, 'replica')
  const serving = async (what: string) => {
    const before = apps.messages.length
    await until(what, () => apps.messages.length >= before + 10)
  }
  const targets = async (job: string, health: string) => {
    const path = '/api/v1/targets?state=active'
    const { activeTargets } = await asked<{ readonly activeTargets: readonly Target[] }>(
      stack.container('prometheus'),
      path,
    )
    return activeTargets.filter(({ labels, health: is }) => labels.job === job && is === health).length
  }

  test('are hardened, and only HAProxy is published', () => {
    const { HostConfig } = stack.describe('haproxy')
    assert.deepEqual([HostConfig.ReadonlyRootfs, HostConfig.CapDrop], [true, ['ALL']])
    assert.deepEqual(Object.keys(HostConfig.PortBindings), ['2525/tcp'])
    for (const id of replicas())
      assert.deepEqual(inspect<ReturnType<Stack['describe']>>(id).HostConfig.PortBindings ?? {}, {})
  })

  test('serve apps, and Prometheus finds each of them', async () => {
    await serving('apps send')
    await eventually('three proxies are scraped', async () => (await targets('ahasend-smtp-proxy', 'up')) === 3)
  })

  test('answer the probe through HAProxy', async () => {
    const { output } = await stack.container('rehearsal').exec(['node', '--eval', greetingOf('haproxy', 2599)])
    assert.equal(output.trim(), '220')
  })

  test('can be restarted one after another', async () => {
    await restartEach(replicas())
    await serving('apps send')
  })

  test('can be added', async () => {
    compose(stack, ['up', '--detach', '--no-deps', '--no-recreate', '--scale', 'replica=3', 'replica'])
    assert.equal(replicas().length, 3)
    await eventually('four proxies are scraped', async () => (await targets('ahasend-smtp-proxy', 'up')) === 4)
  })

  test('may be killed', async () => {
    dockerOutput(['kill', replicas()[0]!])
    await serving('apps send')
  })

  test('leave their work to the proxy without replicas when all of them stop', async () => {
    dockerOutput(['stop', '--time', '45', ...replicas()])
    await serving('apps send')
  })

  test('lost no message, and AhaSend has no message twice that is not in doubt', async () => {
    await apps.stop()
    assert.ok(apps.messages.every(({ tries }) => tries.at(-1)?.result === 'accepted'))
    const accepted = triesOf(apps.messages, 'accepted').length
    const unknown = triesOf(apps.messages, 'no reply').length
    const received = await receivedBy(stack)
    assert.ok(received >= accepted && received <= accepted + unknown, `${received} for ${accepted} and ${unknown}`)
  })

  test('need no HAProxy: an app uses the name of three proxies while each is restarted and one is killed', async () => {
    compose(stack, ['up', '--detach', '--wait', '--no-deps', '--no-recreate', '--scale', 'proxy=3', 'proxy'])
    const proxies = containersOf(stack, 'proxy')
    assert.equal(proxies.length, 3)
    const before = await receivedBy(stack)
    const app = startApp(stack)
    await app.sends()
    await restartEach(proxies)
    dockerOutput(['kill', proxies[0]!])
    await app.sends()
    const { accepted = 0, failed = {} } = app.stop()
    const unknown = Object.values(failed).reduce((sum, count) => sum + count, 0)
    const received = (await receivedBy(stack)) - before
    const shown = JSON.stringify({ received, accepted, failed })
    assert.ok(received >= accepted && received <= accepted + unknown, shown)
    assert.ok(unknown < accepted / 4, shown)
  })
})

/** What the app of the rehearsal prints. */
interface Tally {
  readonly accepted?: number
  readonly failed?: Readonly<Record<string, number>>
}

/** Starts the app of the rehearsal, which sends to `proxy` and does not try again. */
function startApp(stack: Stack) {
  const program = ['traffic', 'test/rehearsal/traffic.ts', 'proxy', '2525', '1']
  const id = compose(stack, ['run', '--detach', '--no-deps', ...program])
  const tally = () => JSON.parse(dockerOutput(['logs', '--tail', '1', id]) || '{}') as Tally
  return {
    async sends() {
      const sent = tally().accepted ?? 0
      await eventually('the app sends', () => (tally().accepted ?? 0) >= sent + 5)
    },
    /** Stops and removes it, and returns its last counts. */
    stop() {
      dockerOutput(['stop', '--time', '30', id])
      const last = tally()
      dockerOutput(['rm', id])
      return last
    },
  }
}

/** The ids of a service's containers, running or not. */
function containersOf(stack: Stack, service: string): string[] {
  const labels = [`com.docker.compose.project=${project(stack)}`, `com.docker.compose.service=${service}`]
  const filters = labels.flatMap((label) => ['--filter', `label=${label}`])
  return dockerOutput(['ps', '--all', '--quiet', ...filters])
    .trim()
    .split('\n')
}

async function restartEach(ids: readonly string[]): Promise<void> {
  for (const id of ids) {
    dockerOutput(['restart', '--time', '45', id])
    // the health check of the image runs only every ten seconds
    await eventually('it is ready', () => docker(['exec', id, '/usr/local/bin/node', 'health.cjs']).ok)
  }
}

function project(stack: Stack): string {
  const { Config } = inspect<{ readonly Config: { readonly Labels: Readonly<Record<string, string>> } }>(
    stack.container('rehearsal').getId(),
  )
  return Config.Labels['com.docker.compose.project'] ?? ''
}

/** Runs Compose with the settings of the running stack, and returns its output. */
function compose(stack: Stack, args: readonly string[]): string {
  const files = ['--project-name', project(stack), '--file', 'compose.yaml', '--env-file', 'rehearsal.env']
  const env = { ...plainEnvironment(), ...SETTINGS, ...ENV }
  return dockerOutput(['compose', ...files, ...args], { env, ms: 120_000 }).trim()
}

/** The number of messages that AhaSend has received so far. */
async function receivedBy(stack: Stack): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${stack.container('rehearsal').getMappedPort(8025)}/ledger`)
  return ((await response.json()) as Summary).messages.received
}
