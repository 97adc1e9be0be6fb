/** A registry on this machine, over TLS: Debian's docker-registry. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { writeTemporaryFiles } from '../files/temporary-files.ts'
import { makeAuthority } from '../tls/certificates.ts'

const PROGRAM = 'docker-registry'
const RUNNER = fileURLToPath(new URL('../programs/run-program.ts', import.meta.url))

/** Why no registry can run, and how to fix that; undefined when one can. */
export function registryMissing(): string | undefined {
  const found = spawnSync(PROGRAM, ['--version']).status === 0
  return found ? undefined : `${PROGRAM} is not installed: .ci/images, or apt-get install ${PROGRAM}`
}

/** A registry that runs. */
export interface Registry {
  /** The host and the port, for names of images. */
  readonly address: string
  /** The certificate of its authority, which clients must trust. */
  readonly caFile: string
  stop(): Promise<void>
}

/** Starts an empty registry on a free port. It exits with this process at the latest. */
export async function startRegistry(): Promise<Registry> {
  const authority = await makeAuthority()
  const { certPem, keyPem } = await authority.issue()
  const files = writeTemporaryFiles({ 'ca.pem': authority.certPem, 'tls.pem': certPem, 'tls.key': keyPem, 'a.yml': '' })
  const config = {
    version: 0.1,
    log: { level: 'info', formatter: 'json', accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: join(files.directory, 'data') } },
    http: { addr: '127.0.0.1:0', tls: { certificate: files.paths['tls.pem'], key: files.paths['tls.key'] } },
  }
  writeFileSync(files.paths['a.yml'], JSON.stringify(config))
  const child = spawn(process.execPath, [RUNNER, PROGRAM, 'serve', files.paths['a.yml']], {
    stdio: ['pipe', 'ignore', 'pipe'],
  })
  const exited = once(child, 'close')
  const address = await listeningAddress(createInterface(child.stderr))
  // the rest of the log, so that the pipe does not become full
  child.stderr.resume()
  return {
    address,
    caFile: files.paths['ca.pem'],
    async stop() {
      child.stdin.end()
      await exited
      files.remove()
    },
  }
}

/** The address in the log line that begins with "listening on". Throws with the log if there is none. */
async function listeningAddress(log: AsyncIterable<string>): Promise<string> {
  const lines: string[] = []
  for await (const line of log) {
    lines.push(line)
    const [, address] = /listening on ([^,\s"]+)/.exec(line) ?? []
    if (address !== undefined) return address
  }
  throw new Error(`${PROGRAM} exited: ${lines.join('\n')}`)
}
