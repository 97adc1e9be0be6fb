/** The product's image and the rehearsal's, built once a test run, and containers of them that are as confined as they get. */

import assert from 'node:assert/strict'
import { chmodSync, cpSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { GenericContainer, Network, type StartedNetwork, type StartedTestContainer, Wait } from 'testcontainers'
import type { Summary } from '../../simulator/ledger.ts'
import { temporaryDirectory } from '../files/temporary-files.ts'
import { dockerOutput, IMAGES, ROOT } from './engine.ts'

/** What the Dockerfile takes from its context. */
const CONTEXT = [
  'Dockerfile',
  '.dockerignore',
  'LICENSE',
  'package.json',
  'package-lock.json',
  'app',
  'dashboards',
  'otel',
  'proxy',
  'settings',
  'status',
]

/** A text that must not get into an image, and the places beside the code where people leave such texts. */
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

/** Builds the product's image from a copy of the project that has secrets lying around. */
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

/** A container with a root that cannot be written, and without any capability. */
export class Confined extends GenericContainer {
  constructor(image: string) {
    super(image)
    this.hostConfig.ReadonlyRootfs = true
    this.withDroppedCapabilities('ALL').withSecurityOpt('no-new-privileges')
  }
}

/** A simulated AhaSend in a container, and a network on which others reach it as `rehearsal`. */
export interface RehearsalContainer {
  readonly network: StartedNetwork
  /** A directory of this machine with its authority in `ca.pem`. */
  readonly certificates: string
  ledger(): Promise<Summary>
  stop(): Promise<void>
}

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
  // the container's user is not this one
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
 * The proxy in a container before the rehearsal, healthy. All settings but those of the upstream have their defaults.
 * `openFiles` is the soft and hard limit of open files; the engine's unless given.
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

/** What `docker inspect` says of an image or a container. */
export function inspect<Description>(idOrTag: string): Description {
  const [description] = JSON.parse(dockerOutput(['inspect', idOrTag])) as Description[]
  assert.ok(description)
  return description
}
