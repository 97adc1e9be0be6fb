/** A container that behaves like a host with Debian: systemd is its process 1. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { until } from '../waiting/until.ts'
import { docker, dockerOutput, IMAGES } from './engine.ts'

const IMAGE = 'ahasend-smtp-proxy-debian-host:test'
/** The first build downloads about 10 MB of Debian packages. */
const BUILD_MS = 300_000

/** Everything that systemd needs, and no more capabilities than an engine in a virtual machine can give. */
const LIKE_A_HOST = [
  ...['--cap-add=ALL', '--cap-drop=SYS_RESOURCE', '--cgroupns=private', '--env=container=docker'],
  ...['seccomp=unconfined', 'apparmor=unconfined', 'systempaths=unconfined'].flatMap((each) => [
    '--security-opt',
    each,
  ]),
  ...['/run:exec', '/run/lock', '/tmp:exec'].flatMap((each) => ['--tmpfs', each]),
]

/** A host that runs. */
export interface DebianHost {
  /** The port of this machine that leads to port 2525 of the host. */
  readonly port: number
  /**
   * Runs a script as root. Resolves with its output, without the space at its end; rejects with its output if it fails. Not synchronously: the simulator
   * runs in this process, and a drain waits for its replies.
   */
  run(script: string): Promise<string>
  remove(): void
}

/** Builds the image and starts a host. The host sees the directory `packages`, and this machine under the name `simulator`. */
export async function startDebianHost(packages: string): Promise<DebianHost> {
  const directory = join(import.meta.dirname, 'debian-host')
  dockerOutput(['build', '--quiet', '--build-arg', `NODE_IMAGE=${IMAGES.NODE_IMAGE}`, '--tag', IMAGE, directory], {
    ms: BUILD_MS,
  })
  const access = ['--add-host=simulator:host-gateway', '--publish=127.0.0.1::2525', `--volume=${packages}:/packages:ro`]
  const id = dockerOutput(['run', '--detach', ...LIKE_A_HOST, ...access, IMAGE]).trim()
  const remove = () => docker(['rm', '--force', id])
  const booted = () => docker(['exec', id, 'systemctl', 'is-system-running']).stdout.trim() === 'running'
  try {
    await until(() => `the host runs: ${JSON.stringify(docker(['logs', id]))}`, booted, {
      limitMs: 60_000,
      everyMs: 100,
    })
  } catch (error) {
    remove()
    throw error
  }
  const [, port] = /:(\d+)$/m.exec(dockerOutput(['port', id, '2525'])) ?? []
  return {
    port: Number(port),
    run: (script) => runIn(id, script),
    remove,
  }
}

async function runIn(id: string, script: string): Promise<string> {
  const child = spawn('docker', ['exec', id, 'bash', '-ec', `exec 2>&1; ${script}`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const [output] = await Promise.all([text(child.stdout), once(child, 'exit')])
  if (child.exitCode !== 0) throw new Error(`${script}: exit code ${child.exitCode}\n${output}`)
  return output.trimEnd()
}
