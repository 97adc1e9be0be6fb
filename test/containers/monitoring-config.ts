/** An upgrade of the stack: the rules and dashboards of a new image reach the running monitoring. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { after, before, describe, test } from 'node:test'
import {
  composeMissing,
  docker,
  dockerOutput,
  engineMissing,
  IMAGES,
  imageMissing,
} from '../support/containers/engine.ts'
import { inspect } from '../support/containers/images.ts'
import { composeNowhere, SETTINGS } from '../support/containers/stack.ts'
import { unless } from '../support/programs/programs.ts'

const PROJECT = `ahasend-upgrade-${process.pid}`
const NEW_IMAGE = 'ahasend-smtp-proxy:upgrade-test'
const NEW_FILE = 'rules/new.rules.yaml'

function compose(image: string, ...args: readonly string[]): string {
  return composeNowhere(PROJECT, args, { PROXY_IMAGE: image })
}

/** Starts Prometheus with the configuration in this image. Returns when Prometheus started, and the files that it reads. */
function up(image: string) {
  compose(image, 'up', '--detach', '--wait', 'prometheus')
  const [id = ''] = compose(image, 'ps', '--quiet', 'prometheus').trim().split('\n')
  const { State } = inspect<{ readonly State: { readonly StartedAt: string } }>(id)
  return { startedAt: State.StartedAt, rules: dockerOutput(['exec', id, 'ls', '/etc/stack/rules']).trim().split('\n') }
}

/** An image whose configuration has one more file. */
function buildNewImage(): void {
  const input = `FROM ${SETTINGS.PROXY_IMAGE}\nCOPY --from=${SETTINGS.PROXY_IMAGE} /app/monitoring/rules/ahasend-smtp-proxy.rules.yaml /app/monitoring/${NEW_FILE}\n`
  const { status, stderr } = spawnSync('docker', ['build', '--quiet', '--tag', NEW_IMAGE, '-'], {
    input,
    encoding: 'utf8',
  })
  assert.equal(status, 0, stderr)
}

const needed = [engineMissing(), composeMissing(), ...[IMAGES.NODE_IMAGE, IMAGES.PROMETHEUS_IMAGE].map(imageMissing)]

describe('After an upgrade of the image', unless(...needed), () => {
  let first: ReturnType<typeof up>
  before(() => {
    compose(SETTINGS.PROXY_IMAGE, 'build', 'proxy')
    buildNewImage()
    first = up(SETTINGS.PROXY_IMAGE)
  })
  after(() => {
    compose(SETTINGS.PROXY_IMAGE, 'down', '--volumes')
    docker(['image', 'rm', NEW_IMAGE])
  })

  test('nothing restarts as long as the image is the same', () => {
    assert.deepEqual(up(SETTINGS.PROXY_IMAGE), first)
  })

  test('Prometheus restarts with the new files', () => {
    const { startedAt, rules } = up(NEW_IMAGE)
    assert.ok(startedAt > first.startedAt)
    assert.deepEqual(rules, ['ahasend-smtp-proxy.rules.yaml', 'new.rules.yaml'])
  })

  test('and back: no file of the newer version remains', () => {
    assert.deepEqual(up(SETTINGS.PROXY_IMAGE).rules, first.rules)
  })
})
