/**
 * A real Kubernetes API server, with its etcd in the same process. It accepts, refuses and stores objects, and runs nothing.
 * The first start builds it with Go, which takes minutes, and keeps it in .cache/.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { createHash, generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { request } from 'node:https'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { temporaryDirectory } from '../files/temporary-files.ts'
import { SOURCES } from '../programs/programs.ts'

const MODULE = join(SOURCES, 'kubernetes')
const RUNNER = join(import.meta.dirname, '../programs/run-program.ts')
const START_LIMIT_MS = 60_000
/** A token of this one server, which only this machine reaches. */
const TOKEN = 'administrator'

export interface Answer {
  readonly status: number
  // biome-ignore lint/suspicious/noExplicitAny: each object has its own fields
  readonly body: any
  /** What the server warns about. */
  readonly warnings: string
}

/** Builds the server if it is missing, and returns its path. */
function built(): string {
  const hash = createHash('sha256')
  for (const name of ['go.mod', 'go.sum', 'main.go']) hash.update(readFileSync(join(MODULE, name)))
  const folder = join(SOURCES, '../../.cache/kubernetes')
  const file = join(folder, hash.digest('hex').slice(0, 16))
  if (existsSync(file)) return file
  mkdirSync(folder, { recursive: true })
  console.error('Building the API server of Kubernetes with Go. This takes several minutes.')
  const args = [
    'build',
    '-mod=readonly',
    '-trimpath',
    '-buildvcs=false',
    `-ldflags=-s -w ${version()}`,
    '-o',
    file,
    '.',
  ]
  const env = { ...process.env, CGO_ENABLED: '0', GOWORK: 'off', GOFLAGS: '' }
  const { status, error } = spawnSync('go', args, { cwd: MODULE, env, stdio: ['ignore', 'inherit', 'inherit'] })
  if (status !== 0) throw new Error(`go build failed${error ? `: ${error.message}` : ''}`)
  return file
}

/** The linker flags for the version that the server reports, which charts require. */
function version(): string {
  const [, number = ''] = /k8s\.io\/kubernetes (v\S+)/.exec(readFileSync(join(MODULE, 'go.mod'), 'utf8')) ?? []
  const [, major, minor] = /^v(\d+)\.(\d+)/.exec(number) ?? []
  const values = { gitVersion: number, gitMajor: major, gitMinor: minor }
  return Object.entries(values)
    .map(([name, value]) => `-X k8s.io/component-base/version.${name}=${value}`)
    .join(' ')
}

/** A running API server. */
export class ApiServer implements AsyncDisposable {
  readonly #child: ChildProcess
  readonly #port: number
  readonly #directory: ReturnType<typeof temporaryDirectory>
  /** The file with which Helm reaches the server. */
  readonly kubeconfig: string

  private constructor(child: ChildProcess, port: number, directory: ReturnType<typeof temporaryDirectory>) {
    this.#child = child
    this.#port = port
    this.#directory = directory
    this.kubeconfig = join(directory.path, 'kubeconfig')
    writeFileSync(this.kubeconfig, JSON.stringify(kubeconfig(port)), { mode: 0o600 })
  }

  /** Starts a server, and waits until it is ready. */
  static async start(): Promise<ApiServer> {
    const file = built()
    const port = await freePort()
    const directory = temporaryDirectory('api-server-')
    const args = [RUNNER, file, directory.path, ...argumentsFor(directory.path, port)]
    const child = spawn(process.execPath, args, { stdio: ['pipe', 'ignore', 'pipe'] })
    let log = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      log = (log + text).slice(-5000)
    })
    const server = new ApiServer(child, port, directory)
    const until = performance.now() + START_LIMIT_MS
    while (!(await server.isReady())) {
      if (child.exitCode !== null || performance.now() > until) {
        await server[Symbol.asyncDispose]()
        throw new Error(`the API server did not start: ${log}`)
      }
      await pause(100)
    }
    return server
  }

  async isReady(): Promise<boolean> {
    try {
      return (await this.call('GET', '/readyz')).status === 200
    } catch {
      return false
    }
  }

  /** Sends a request. The body is an object, or nothing. */
  async call(method: string, path: string, body?: object): Promise<Answer> {
    const headers = { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' }
    const sent = request({ host: '127.0.0.1', port: this.#port, method, path, headers, rejectUnauthorized: false })
    sent.end(body === undefined ? undefined : JSON.stringify(body))
    const [response] = await once(sent, 'response')
    const chunks: Buffer[] = []
    for await (const chunk of response) chunks.push(chunk)
    const text = Buffer.concat(chunks).toString()
    return {
      status: response.statusCode,
      body: text.startsWith('{') ? JSON.parse(text) : text,
      warnings: String(response.headers.warning ?? ''),
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin?.end()
    if (this.#child.exitCode === null) await once(this.#child, 'exit')
    this.#directory.remove()
  }
}

function argumentsFor(directory: string, port: number): string[] {
  const key = join(directory, 'accounts.key')
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  writeFileSync(key, privateKey.export({ type: 'pkcs1', format: 'pem' }), { mode: 0o600 })
  const tokens = join(directory, 'tokens.csv')
  writeFileSync(tokens, `${TOKEN},administrator,administrator,system:masters\n`, { mode: 0o600 })
  return [
    '--bind-address=127.0.0.1',
    `--secure-port=${port}`,
    `--cert-dir=${join(directory, 'certificates')}`,
    `--token-auth-file=${tokens}`,
    '--authorization-mode=RBAC',
    '--service-account-issuer=https://kubernetes.default.svc',
    `--service-account-key-file=${key}`,
    `--service-account-signing-key-file=${key}`,
    '--service-cluster-ip-range=10.96.0.0/16,fd00:10:96::/112',
  ]
}

function kubeconfig(port: number): object {
  return {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'test', cluster: { server: `https://127.0.0.1:${port}`, 'insecure-skip-tls-verify': true } }],
    users: [{ name: 'test', user: { token: TOKEN } }],
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'test' } }],
    'current-context': 'test',
  }
}

/** The API server does not choose a port itself. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  return typeof address === 'object' && address !== null ? address.port : 0
}
