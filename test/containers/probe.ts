/** The probe of compose.yaml, with the shipped Prometheus: it logs in through the proxy, and is no target unless it runs. */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { DEFAULT_ACCOUNT } from '../simulator/simulator.ts'
import { Canaries } from '../support/canaries/canaries.ts'
import { composeMissing, dockerOutput, engineMissing, IMAGES, imageMissing } from '../support/containers/engine.ts'
import { asked, eventually, press, type Stack, startStack, sumOf } from '../support/containers/stack.ts'
import { unless } from '../support/programs/programs.ts'

const { NODE_IMAGE, PROMETHEUS_IMAGE } = IMAGES
const needed = [engineMissing(), composeMissing(), ...[NODE_IMAGE, PROMETHEUS_IMAGE].map(imageMissing)]

interface Target {
  readonly labels: { readonly job: string }
  readonly health: string
}

const JOB = 'ahasend-smtp-proxy-probe'

describe('The probe in the stack', unless(...needed), () => {
  const canaries = new Canaries()
  let stack: Stack

  before(async () => {
    canaries.given('the password', DEFAULT_ACCOUNT.pass)
    stack = await startStack(['proxy', 'prometheus', 'rehearsal', 'probe'], {
      env: {
        PROBE_USER: DEFAULT_ACCOUNT.user,
        PROBE_PASSWORD: DEFAULT_ACCOUNT.pass,
        PROBE_FROM: 'probe@example.com',
        PROBE_INTERVAL: '10s',
        PROBE_TIMEOUT: '10s',
        PROXY_WARM_CONNECTIONS: '0',
      },
    })
  })
  after(() => stack?.down())

  const sum = (expression: string) => sumOf(stack.container('prometheus'), expression)
  const targets = async () => {
    const { activeTargets } = await asked<{ readonly activeTargets: readonly Target[] }>(
      stack.container('prometheus'),
      '/api/v1/targets?state=active',
    )
    return activeTargets.filter(({ labels }) => labels.job === JOB)
  }
  const logs = () => dockerOutput(['logs', stack.container('probe').getId()])

  test('is healthy, hardened, and publishes nothing', async () => {
    await stack.healthy(['proxy', 'probe'])
    const { Config, HostConfig, NetworkSettings } = stack.describe('probe')
    assert.equal(Config.User, '1000:1000')
    assert.deepEqual([HostConfig.ReadonlyRootfs, HostConfig.CapDrop], [true, ['ALL']])
    assert.deepEqual(HostConfig.PortBindings ?? {}, {})
    assert.equal(Object.keys(NetworkSettings.Networks).length, 2)
  })

  test('logs in through the proxy, and Prometheus scrapes that it succeeds', async () => {
    await eventually('Prometheus has scraped a success', async () => (await sum('smtp_proxy_probe_success')) === 1)
    const steps = 'smtp_proxy_probe_step_duration_seconds_count{smtp_probe_step=~"auth|rcpt|rset"}'
    await eventually('every step is counted', async () => (await sum(`count(${steps})`)) === 3)
  })

  test('is the client `probe` of the proxy, and no app', async () => {
    const ended = 'smtp_proxy_session_duration_seconds_count'
    await eventually('its sessions are counted', async () => (await sum(`${ended}{smtp_client_name="probe"}`)) > 0)
    assert.equal(await sum(`${ended}{smtp_client_name="other"}`), 0)
    assert.equal(await sum('smtp_proxy_transactions_total{smtp_transaction_outcome="accepted"}'), 0)
  })

  test('reports the step and the code of a failure, without its password', async () => {
    await press(stack.container('rehearsal'), 'account-disabled')
    const failures = 'smtp_proxy_probe_consecutive_failures{smtp_probe_step="mail", error_type="521"}'
    await eventually('a failure is scraped', async () => (await sum(failures)) > 0)
    assert.match(logs(), /"smtp\.probe\.step":"mail","error\.type":"521"/)
    assert.deepEqual(canaries.search({ log: logs() }), {})
  })

  test('is no target of Prometheus after it has stopped, with exit code 0', async () => {
    assert.deepEqual(
      (await targets()).map(({ health }) => health),
      ['up'],
    )
    dockerOutput(['stop', '--time', '20', stack.container('probe').getId()])
    const { Status, ExitCode } = stack.describe('probe').State
    assert.deepEqual([Status, ExitCode], ['exited', 0])
    await eventually('Prometheus forgets the target', async () => (await targets()).length === 0)
  })
})
