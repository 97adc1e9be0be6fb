/**
 * An engine of its own in an own network, for tests that would change the engine of this machine: an engine that leaves a
 * swarm forgets the names of all running containers.
 */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { temporaryDirectory } from '../files/temporary-files.ts'
import { until } from '../waiting/until.ts'
import { plainEnvironment } from './compose.ts'
import { docker, dockerOutput } from './engine.ts'

const RUNNER = fileURLToPath(new URL('../programs/run-program.ts', import.meta.url))

/** The limit of a copy of images: some hundred megabytes. */
const COPY_MS = 180_000

/** Why no second engine can run, and how to fix that; undefined when one can. */
export function privateEngineMissing(): string | undefined {
  if (process.getuid?.() !== 0) return 'only root can start a second container engine'
  const missing = [
    ['dockerd', '--version'],
    ['unshare', '--version'],
    ['ip', '-V'],
  ].filter(([program = '', flag = '']) => spawnSync(program, [flag]).status !== 0)
  return missing.length === 0 ? undefined : `${missing.map(([program]) => program).join(' and ')}: not installed`
}

/** An engine that runs. */
export interface PrivateEngine {
  docker(args: readonly string[], options?: Parameters<typeof docker>[1]): ReturnType<typeof docker>
  /** The output of a command that must succeed. */
  output(args: readonly string[], options?: Parameters<typeof docker>[1]): string
  /** Stops it. No container may run any more. */
  stop(): Promise<void>
}

/** Starts an engine with copies of these images. It stops with this process at the latest. */
export async function startPrivateEngine(images: readonly string[]): Promise<PrivateEngine> {
  const work = temporaryDirectory('engine-')
  // its layers need a file system on which overlays work
  const root = mkdtempSync(join(dockerOutput(['info', '--format', '{{.DockerRootDir}}']).trim(), 'private-'))
  const socket = join(work.path, 'docker.sock')
  const places = ['--data-root', root, '--exec-root', join(work.path, 'exec'), '--pidfile', join(work.path, 'pid')]
  const start = `ip link set lo up && exec dockerd --host unix://${socket} ${places.join(' ')}`
  const child = spawn(process.execPath, [RUNNER, 'unshare', '--net', 'sh', '-c', start], {
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  const exited = once(child, 'close')
  const DOCKER_HOST = `unix://${socket}`
  const withHost = (options: Parameters<typeof docker>[1] = {}) => ({
    ...options,
    env: { ...(options.env ?? plainEnvironment()), DOCKER_HOST },
  })
  const engine: PrivateEngine = {
    docker: (args, options) => docker(args, withHost(options)),
    output: (args, options) => dockerOutput(args, withHost(options)),
    async stop() {
      child.stdin.end()
      await exited
      work.remove()
      rmSync(root, { recursive: true, force: true })
    },
  }
  await until('the engine answers', () => engine.docker(['version']).ok, { limitMs: 60_000, everyMs: 200 })
  copyImages(images, join(work.path, 'images.tar'), engine)
  return engine
}

function copyImages(images: readonly string[], file: string, engine: PrivateEngine): void {
  dockerOutput(['save', '--output', file, ...images], { ms: COPY_MS })
  engine.output(['load', '--quiet', '--input', file], { ms: COPY_MS })
  rmSync(file)
}
