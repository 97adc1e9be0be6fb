/** The container engine that tests need, what it can run, and a few things that only its own command line does. */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** The root of the project: where the Dockerfile and compose.yaml are. */
export const ROOT = fileURLToPath(new URL('../../..', import.meta.url))

/** The images that compose.yaml and the Dockerfiles begin with, by the variable that chooses another. */
export const IMAGES = {
  NODE_IMAGE: process.env.NODE_IMAGE ?? 'node:24-bookworm-slim',
  PROMETHEUS_IMAGE: process.env.PROMETHEUS_IMAGE ?? 'prom/prometheus:v3.5.3',
  ALERTMANAGER_IMAGE: process.env.ALERTMANAGER_IMAGE ?? 'prom/alertmanager:v0.33.1',
  TEMPO_IMAGE: process.env.TEMPO_IMAGE ?? 'grafana/tempo:3.0.3',
  GRAFANA_IMAGE: process.env.GRAFANA_IMAGE ?? 'grafana/grafana:13.2.3',
} as const

/** A pull of some hundred megabytes on a slow line. */
const PULL_MS = 600_000

/** What `docker` answers; rejects nothing, because a test wants to see failures too. */
export function docker(
  args: readonly string[],
  options: { readonly env?: NodeJS.ProcessEnv; readonly ms?: number } = {},
) {
  const { stdout, stderr, status, error } = spawnSync('docker', args, {
    cwd: ROOT,
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
    timeout: options.ms ?? 60_000,
    ...(options.env && { env: options.env }),
  })
  return { stdout, stderr: error?.message ?? stderr, ok: status === 0 }
}

/** The output of a `docker` command that must succeed. Throws with its own words otherwise. */
export function dockerOutput(args: readonly string[], options: Parameters<typeof docker>[1] = {}): string {
  const { stdout, stderr, ok } = docker(args, options)
  if (!ok) throw new Error(`docker ${args.join(' ')}: ${stderr}`)
  return stdout
}

/** Why there is no Compose, and what would help; undefined when there is. It needs no engine to read files. */
export function composeMissing(): string | undefined {
  const { ok, stdout } = docker(['compose', 'version', '--short'])
  if (!ok) return 'docker compose is not installed'
  return isOlder(stdout, OLDEST_COMPOSE)
    ? `docker compose is ${stdout.trim()}: ${OLDEST_COMPOSE} or later is needed`
    : undefined
}

/** Older ones refuse services that depend on what a profile leaves out, or lose the .env of what is included. */
const OLDEST_COMPOSE = '2.24.7'

/** Whether a version is older than another; what stands behind the three numbers does not count. */
function isOlder(version: string, than: string): boolean {
  const [mine = [], other = []] = [version, than].map((text) => (text.match(/[0-9]+/g) ?? []).slice(0, 3).map(Number))
  const difference = other.map((part, index) => (mine[index] ?? 0) - part).find((part) => part !== 0)
  return difference !== undefined && difference < 0
}

/** Why containers cannot be run, and what would help; undefined when they can. */
export function engineMissing(): string | undefined {
  const { ok } = docker(['version', '--format', '{{.Server.Version}}'])
  return ok ? undefined : 'no container engine answers: start Docker'
}

/** Why an image cannot be had; undefined when it is here, or was pulled just now. */
export function imageMissing(image: string): string | undefined {
  if (engineMissing() !== undefined) return engineMissing()
  if (docker(['image', 'inspect', '--format', '{{.Id}}', image]).ok) return undefined
  const { ok } = docker(['pull', '--quiet', image], { ms: PULL_MS })
  return ok ? undefined : `the image ${image} is not here and cannot be pulled`
}
