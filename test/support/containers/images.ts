/** Builds the images of the product and of the rehearsal, and starts confined containers of them. */

import assert from 'node:assert/strict'
import { chmodSync, cpSync, globSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { GenericContainer, Network, type StartedNetwork, type StartedTestContainer, Wait } from 'testcontainers'
import type { Summary } from '../../simulator/ledger.ts'
import { temporaryDirectory } from '../files/temporary-files.ts'
import { docker, dockerOutput, IMAGES, ROOT } from './engine.ts'

/** The files that the Dockerfile needs in its build context. */
const CONTEXT = [
  'Dockerfile',
  '.dockerignore',
  'LICENSE',
  'package.json',
  'package-lock.json',
  'app',
  'bundle',
  'dashboards',
  'otel',
  'proxy',
  'settings',
  'status',
]

/** A secret that must not get into an image, and places in the build context where people leave secrets. */
export const PLANTED = 'planted-secret-4b1d0c7e'
const PLACES = [
  '.env',
  '.npmrc',
  'proxy/.env.local',
  'otel/key.pem',
  'settings/tls.key',
  'secrets.txt',
  'certificates/a.pem',
]

/** The configuration of Prometheus, Tempo and Grafana: each file in /app of the image, and its source. */
export const MONITORING: ReadonlyMap<string, string> = new Map([
  ...sourcesIn('monitoring', 'otel/stack', '{prometheus.yml,tempo.yaml}'),
  ...sourcesIn('monitoring/rules', 'dashboards/generated', '*.rules.yaml'),
  ...sourcesIn('monitoring/dashboards', 'dashboards/generated', '*.json'),
  ...sourcesIn('monitoring/provisioning', 'dashboards/provisioning', '*/*.yaml'),
])

function sourcesIn(target: string, folder: string, pattern: string): (readonly [string, string])[] {
  return globSync(pattern, { cwd: join(ROOT, folder) }).map((file) => [join(target, file), join(folder, file)] as const)
}

/** Builds the product's image from a copy of the project that contains secrets. */
export async function buildProduct(tag: string): Promise<void> {
  using context = temporaryDirectory('image-context-')
  for (const name of CONTEXT)
    cpSync(join(ROOT, name), join(context.path, name), { recursive: true, preserveTimestamps: true })
  for (const place of PLACES) {
    mkdirSync(dirname(join(context.path, place)), { recursive: true })
    writeFileSync(join(context.path, place), PLANTED)
  }
  await GenericContainer.fromDockerfile(context.path)
    .withBuildArgs({ NODE_IMAGE: IMAGES.NODE_IMAGE, REVISION: 'test' })
    .build(tag, { deleteOnExit: false })
}

/** Builds the rehearsal's image. */
export async function buildRehearsal(tag: string): Promise<void> {
  await GenericContainer.fromDockerfile(ROOT, 'test/rehearsal/Dockerfile')
    .withBuildArgs({ NODE_IMAGE: IMAGES.NODE_IMAGE })
    .build(tag, { deleteOnExit: false })
}

/** A container with a read-only root file system and without capabilities. */
export class Confined extends GenericContainer {
  constructor(image: string) {
    super(image)
    this.hostConfig.ReadonlyRootfs = true
    this.withDroppedCapabilities('ALL').withSecurityOpt('no-new-privileges')
  }
}

/** A simulated AhaSend in a container, and a network on which its name is `rehearsal`. */
export interface RehearsalContainer {
  readonly network: StartedNetwork
  /** A directory of this machine with the simulator's authority in `ca.pem`. */
  readonly certificates: string
  ledger(): Promise<Summary>
  stop(): Promise<void>
}

/** Starts the rehearsal's image in a container. */
export async function startRehearsal(image: string): Promise<RehearsalContainer> {
  const network = await new Network().start()
  const container = await new Confined(image)
    .withNetwork(network)
    .withNetworkAliases('rehearsal')
    .withTmpFs({ '/tmp': '', '/certificates': 'uid=1000' })
    .withExposedPorts(8025)
    .withWaitStrategy(Wait.forLogMessage(/"ready":true/))
    .start()
  const { path: certificates, remove } = temporaryDirectory('certificates-')
  // the container has another user
  chmodSync(certificates, 0o755)
  const { output } = await container.exec(['node', '--print', 'fs.readFileSync("/certificates/ca.pem", "utf8")'])
  writeFileSync(join(certificates, 'ca.pem'), output)
  return {
    network,
    certificates,
    async ledger() {
      const response = await fetch(`http://127.0.0.1:${container.getMappedPort(8025)}/ledger`)
      return (await response.json()) as Summary
    },
    async stop() {
      await container.stop()
      await network.stop()
      remove()
    },
  }
}

/**
 * Starts the proxy in a container in front of the rehearsal, and waits until it is healthy. Only the upstream is
 * configured. `openFiles` is the soft and hard limit of open files. Default: the engine's limit.
 */
export async function startProduct(
  image: string,
  rehearsal: RehearsalContainer,
  { openFiles }: { readonly openFiles?: number } = {},
): Promise<StartedTestContainer> {
  const limits = openFiles === undefined ? {} : { nofile: { soft: openFiles, hard: openFiles } }
  return new Confined(image)
    .withUlimits(limits)
    .withNetwork(rehearsal.network)
    .withBindMounts([{ source: rehearsal.certificates, target: '/certificates', mode: 'ro' }])
    .withEnvironment({ PROXY_UPSTREAM: 'smtp://rehearsal:2525', PROXY_UPSTREAM_CA_FILE: '/certificates/ca.pem' })
    .withExposedPorts(2525, 9464)
    .withWaitStrategy(Wait.forHealthCheck())
    .start()
}

/** The output of `docker inspect` for an image or a container. */
export function inspect<Description>(idOrTag: string): Description {
  const [description] = JSON.parse(dockerOutput(['inspect', idOrTag])) as Description[]
  assert.ok(description)
  return description
}

/** A bit of the mask of handled signals: 1 is SIGHUP. */
const SIGHUP = 1n

/**
 * Whether the proxy has installed its handlers: process 1 receives only signals that it handles. SIGHUP is the last
 * one. For SIGTERM, Node itself installs a handler earlier, which does not end process 1.
 */
export function handlesSignals(id: string): boolean {
  const { stdout } = docker(['exec', id, '/usr/local/bin/node', '--print', 'fs.readFileSync("/proc/1/status", "utf8")'])
  const [, caught = '0'] = /^SigCgt:\t([0-9a-f]+)$/m.exec(stdout) ?? []
  return (BigInt(`0x${caught}`) & SIGHUP) !== 0n
}
