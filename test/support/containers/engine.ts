/** The container engine: whether it is available, and commands that only its command line has. */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** The root of the project: where the Dockerfile and compose.yaml are. */
export const ROOT = fileURLToPath(new URL('../../..', import.meta.url))

/** The base images of compose.yaml and the Dockerfiles, by the variable that overrides each. */
export const IMAGES = {
  NODE_IMAGE: process.env.NODE_IMAGE ?? 'node:24-bookworm-slim',
  PROMETHEUS_IMAGE: process.env.PROMETHEUS_IMAGE ?? 'prom/prometheus:v3.5.3',
  ALERTMANAGER_IMAGE: process.env.ALERTMANAGER_IMAGE ?? 'prom/alertmanager:v0.33.1',
  TEMPO_IMAGE: process.env.TEMPO_IMAGE ?? 'grafana/tempo:3.0.3',
  HAPROXY_IMAGE: process.env.HAPROXY_IMAGE ?? 'haproxy:3.2.26-alpine',
  GRAFANA_IMAGE: process.env.GRAFANA_IMAGE ?? 'grafana/grafana:13.2.3',
} as const

/** The limit of a pull: some hundred megabytes on a slow network. */
const PULL_MS = 600_000

/** Runs `docker`. Does not throw, so that tests can check failures, too. */
export function docker(
  args: readonly string[],
  options: { readonly env?: NodeJS.ProcessEnv; readonly ms?: number; readonly cwd?: string } = {},
) {
  const { stdout, stderr, status, error } = spawnSync('docker', args, {
    cwd: options.cwd ?? ROOT,
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
    timeout: options.ms ?? 60_000,
    ...(options.env && { env: options.env }),
  })
  return { stdout, stderr: error?.message ?? stderr, ok: status === 0 }
}

/** The output of a `docker` command that must succeed. Throws with its error output otherwise. */
export function dockerOutput(args: readonly string[], options: Parameters<typeof docker>[1] = {}): string {
  const { stdout, stderr, ok } = docker(args, options)
  if (!ok) throw new Error(`docker ${args.join(' ')}: ${stderr}`)
  return stdout
}

/** Why Compose cannot run, and how to fix that; undefined when it can. Compose needs no engine to read files. */
export function composeMissing(): string | undefined {
  const { ok, stdout } = docker(['compose', 'version', '--short'])
  if (!ok) return 'docker compose is not installed'
  return isOlder(stdout, OLDEST_COMPOSE)
    ? `docker compose is ${stdout.trim()}: ${OLDEST_COMPOSE} or later is needed`
    : undefined
}

/**
 * Older versions refuse a dependency on a service of an inactive profile, or ignore the .env of an included project.
 */
const OLDEST_COMPOSE = '2.24.7'

/** Whether a version is older than another, by its first three numbers. */
function isOlder(version: string, than: string): boolean {
  const [mine = [], other = []] = [version, than].map((text) => (text.match(/[0-9]+/g) ?? []).slice(0, 3).map(Number))
  const difference = other.map((part, index) => (mine[index] ?? 0) - part).find((part) => part !== 0)
  return difference !== undefined && difference < 0
}

/** Why containers cannot run, and how to fix that; undefined when they can. */
export function engineMissing(): string | undefined {
  const { ok } = docker(['version', '--format', '{{.Server.Version}}'])
  return ok ? undefined : 'no container engine is running: start Docker'
}

/** Why an image is not available; undefined when it is present or was pulled. */
export function imageMissing(image: string): string | undefined {
  if (engineMissing() !== undefined) return engineMissing()
  if (docker(['image', 'inspect', '--format', '{{.Id}}', image]).ok) return undefined
  const { ok } = docker(['pull', '--quiet', image], { ms: PULL_MS })
  return ok ? undefined : `the image ${image} is missing and cannot be pulled`
}
