/**
 * compose.yaml without a clone: as an artifact of a registry and from a Git repository, alone and included in another
 * project. The addresses are those of docs/docker.md; the registry and the repository are on this machine.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { copyFileSync, globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import packageJson from '../../package.json' with { type: 'json' }
import { BUILDING, fileArguments, type Project, plainEnvironment, readProject } from '../support/containers/compose.ts'
import {
  composeMissing,
  docker,
  dockerOutput,
  engineMissing,
  IMAGES,
  imageMissing,
  ROOT,
} from '../support/containers/engine.ts'
import { OtherProject } from '../support/containers/other-project.ts'
import { type Registry, registryMissing, startRegistry } from '../support/containers/registry.ts'
import { NOWHERE, SETTINGS } from '../support/containers/stack.ts'
import { temporaryDirectory } from '../support/files/temporary-files.ts'
import { unless } from '../support/programs/programs.ts'

const ARTIFACT = `ahasend/ahasend-smtp-proxy-compose:${packageJson.version}`
const REPOSITORY = 'https://github.com/AhaSend/ahasend-smtp-proxy.git'
const TAG = `v${packageJson.version}`

const CLIENTS = 'billing=10.0.0.0/8'
const SECRET = 'https://hooks.slack.example/the-secret'

const composeFails = composeMissing()
const publishMissing = docker(['compose', 'publish', '--help']).ok ? undefined : 'this Compose has no command publish'
const imagesMissing = [engineMissing(), imageMissing(IMAGES.NODE_IMAGE), imageMissing(IMAGES.PROMETHEUS_IMAGE)]

/** The settings of a project that runs containers. */
const RUN = (({ SETTINGS_FILE, ...others }) => ({ ...others, ...NOWHERE }))(SETTINGS)

/** The image of the proxy, from these sources. */
function buildProxy(): void {
  const env = { ...plainEnvironment(), ...SETTINGS }
  dockerOutput(['compose', ...fileArguments(BUILDING), 'build', 'proxy'], { env, ms: 300_000 })
}

/** What is the same wherever compose.yaml comes from: everything but the environment, which has settings files. */
function essence({ services }: Project) {
  const { app, ...others } = services
  return Object.fromEntries(Object.entries(others).map(([name, { environment, ...rest }]) => [name, rest]))
}

/** That the project has all services of compose.yaml, with the settings of its own .env. */
function assertComplete(read: Project): void {
  assert.equal(read.services.proxy?.environment?.PROXY_CLIENTS, CLIENTS)
  assert.deepEqual(essence(read), essence(readProject()))
}

test('docs/docker.md names the artifact and the repository, in this version', () => {
  const page = readFileSync(join(ROOT, 'docs', 'docker.md'), 'utf8')
  for (const address of [`oci://ghcr.io/${ARTIFACT}`, `${REPOSITORY}#${TAG}`])
    assert.ok(page.includes(address), address)
})

describe('docker compose publish', unless(composeFails, publishMissing), () => {
  test('accepts compose.yaml in a dry run, which needs no registry', () => {
    const dry = ['compose', '--file', 'compose.yaml', 'publish', '--dry-run', '--yes', `127.0.0.1:9/${ARTIFACT}`]
    const { ok, stdout, stderr } = docker(dry, { env: plainEnvironment() })
    assert.ok(ok, stderr)
    assert.match(stdout + stderr, /published/)
  })
})

describe('compose.yaml in a registry', unless(composeFails, publishMissing, registryMissing()), () => {
  let registry: Registry
  let project: OtherProject
  let address = ''

  before(async () => {
    registry = await startRegistry()
    address = `oci://${registry.address}/${ARTIFACT}`
    project = new OtherProject({ SSL_CERT_FILE: registry.caFile })
    // the settings of the person who publishes
    project.set({ SETTINGS_FILE: project.settingsFile, ALERT_SLACK_URL: SECRET })
    project.output(['--file', join(ROOT, 'compose.yaml'), 'publish', '--yes', address.slice('oci://'.length)])
    project.set({ PROXY_CLIENTS: CLIENTS })
  })
  after(async () => {
    project?.remove()
    await registry?.stop()
  })

  test('is one file, without the settings of the publisher', () => {
    project.read('--file', address)
    const files = globSync('**', { cwd: project.cache, withFileTypes: true }).filter((entry) => entry.isFile())
    assert.deepEqual(
      files.map(({ name }) => name),
      ['compose.yaml'],
    )
    const [text = ''] = files.map(({ parentPath, name }) => readFileSync(join(parentPath, name), 'utf8'))
    // Compose replaces the path of the settings file by one that does not exist
    const source = readFileSync(join(ROOT, 'compose.yaml'), 'utf8')
    assert.equal(text.replaceAll(/path: [0-9a-f]{64}\.env$/gm, 'path: $${SETTINGS_FILE:-.env}'), source)
  })

  test('can be used alone', () => {
    assertComplete(project.read('--file', address))
  })

  test('can be included, and is configured by the .env of the project', () => {
    project.include(address, { app: { image: 'app', depends_on: ['proxy'] } })
    assertComplete(project.read())
  })

  test('runs, and its Prometheus has the rules', unless(...imagesMissing), () => {
    buildProxy()
    project.include(address)
    try {
      project.output(['up', '--detach', '--wait', 'prometheus'], RUN)
      const ask = ['wget', '-q', '-O', '-', 'http://127.0.0.1:9090/api/v1/rules?type=alert']
      const answer = JSON.parse(project.output(['exec', '-T', 'prometheus', ...ask], RUN)) as {
        readonly data: { readonly groups: readonly unknown[] }
      }
      assert.ok(answer.data.groups.length > 0)
    } finally {
      project.output(['down', '--volumes'], RUN)
    }
  })
})

describe('compose.yaml in a Git repository', unless(composeFails), () => {
  const repository = temporaryDirectory('repository-')
  const address = `${REPOSITORY}#${TAG}`
  let project: OtherProject

  before(() => {
    // nothing else is needed
    for (const name of BUILDING) copyFileSync(join(ROOT, name), join(repository.path, name))
    git('init', '--quiet')
    git('add', '.')
    git('commit', '--quiet', '--message=x')
    git('tag', TAG)
    project = new OtherProject({
      GIT_CONFIG_COUNT: '1',
      GIT_CONFIG_KEY_0: `url.file://${repository.path}.insteadOf`,
      GIT_CONFIG_VALUE_0: REPOSITORY,
    })
    project.set({ PROXY_CLIENTS: CLIENTS })
  })
  after(() => {
    project?.compose(['down', '--volumes'], RUN)
    project?.remove()
    repository.remove()
  })

  function git(...args: readonly string[]): void {
    const person = ['-c', 'user.name=x', '-c', 'user.email=x@example.com']
    const { status, stderr } = spawnSync('git', [...person, ...args], { cwd: repository.path, encoding: 'utf8' })
    assert.equal(status, 0, stderr)
  }

  test('can be used alone', () => {
    assertComplete(project.read('--file', address))
  })

  test('can be included, and is configured by the .env of the project', () => {
    project.include(address, { app: { image: 'app', depends_on: ['proxy'] } })
    assertComplete(project.read())
  })

  test('reports misspelled names, if SETTINGS_FILE is the path of the .env', unless(...imagesMissing), () => {
    buildProxy()
    project.include(address)
    project.set({ SETTINGS_FILE: project.settingsFile, PROXY_LISTN: 'smtp://0.0.0.0:25' })
    const { ok, stdout, stderr } = project.compose(['run', '--rm', '--no-deps', 'proxy-names'], RUN)
    assert.equal(ok, false)
    assert.match(stderr + stdout, /^PROXY_LISTN: .* Did you mean PROXY_LISTEN\?$/m)
  })
})
