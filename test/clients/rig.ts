/** One simulated AhaSend, one proxy in front of it, and clients that connect to either. */

import { type Simulator, startSimulator } from '../simulator/simulator.ts'
import { temporaryDirectory, writeTemporaryFiles } from '../support/files/temporary-files.ts'
import { type ProxyProcess, startProxy } from '../support/processes/proxy-process.ts'
import { makeAuthority } from '../support/tls/certificates.ts'
import { CLIENTS, type Delivery, type SmtpClient } from './clients.ts'
import { type Command, type Outcome, run } from './command.ts'
import { preparedMessage } from './message.ts'

/** The server that a client connects to. */
export type Route = 'direct' | 'proxy'

/** The result of a client, and what the simulator received. */
export interface Attempt {
  readonly outcome: Outcome
  /** How long the client ran, in milliseconds. */
  readonly elapsedMs: number
  /** Received bodies, as sent on the wire: SHA-256 in hexadecimal, and the code of the final reply. */
  readonly bodies: readonly { readonly sha256: string; readonly code: number | undefined }[]
  /**
   * AUTH commands without credentials, and, for clients that wait for a 334 (RFC 4954 section 4), the lines after it.
   */
  readonly auth: readonly { readonly line: string; readonly tls: boolean }[]
  /** The reply codes to these lines. */
  readonly authReplies: readonly number[]
}

export interface Rehearsal {
  /** The message that all clients send. */
  readonly message: Buffer
  readonly proxy: ProxyProcess
  /** Sends the message with a client. Throws when the client had to be built and was not. */
  attempt(client: SmtpClient, route: Route, trust?: 'right' | 'wrong'): Promise<Attempt>
  close(): Promise<void>
}

const ADDRESSES = { from: 'billing@example.com', to: 'customer@example.net' }
const CREDENTIALS = { user: 'rehearsal-user', password: 'rehearsal-password' }

/** The version of an installed client; undefined when the client, or a library that it needs, is missing. */
export async function installedVersion(client: Pick<SmtpClient, 'detect'>): Promise<string | undefined> {
  const { code, stdout } = await run({ file: 'sh', args: ['-c', client.detect], env: process.env })
  return code === 0 ? (/\d+(\.\d+)+/.exec(stdout)?.[0] ?? 'unknown version') : undefined
}

/** Why a client cannot run, and how to install it. */
export function missing({ name, packages }: SmtpClient): string {
  return `${name} is not installed: ${packages.length > 0 ? `apt-get install ${packages.join(' ')}` : 'npm ci'}`
}

/** Starts the simulator and the proxy, and compiles the installed clients that need it. */
export async function rehearse(): Promise<Rehearsal> {
  // undone in reverse order: here when something fails to start, otherwise by close()
  await using starting = new AsyncDisposableStack()
  const { path: directory } = starting.use(temporaryDirectory('clients-'))
  const files = await writeFiles()
  starting.defer(files.remove)
  const failures = await buildAll(CLIENTS, directory)
  const simulator = await startSimulator({ accounts: { [CREDENTIALS.user]: CREDENTIALS.password } })
  starting.defer(() => simulator.close())
  const proxy = starting.use(
    await startProxy({
      PROXY_UPSTREAM: `smtp://${simulator.host}:${simulator.port}`,
      PROXY_UPSTREAM_CA_FILE: simulator.caFile,
      PROXY_TLS_CERT_FILE: files.paths['cert.pem'],
      PROXY_TLS_KEY_FILE: files.paths['key.pem'],
    }),
  )
  const mail = { ...ADDRESSES, ...CREDENTIALS, messageFile: files.paths['message.eml'], host: 'localhost' }
  const deliveries: Readonly<Record<Route, Delivery>> = {
    direct: { ...mail, port: simulator.port, caFile: simulator.caFile },
    proxy: { ...mail, port: proxy.port, caFile: files.paths['ca.pem'] },
  }
  const attempt: Rehearsal['attempt'] = async (client, route, trust = 'right') => {
    const failure = failures.get(client.name)
    if (failure !== undefined) throw new Error(`${client.name} could not be built: ${failure}`)
    const delivery =
      trust === 'right' ? deliveries[route] : { ...deliveries[route], caFile: files.paths['other-ca.pem'] }
    return observe(simulator, client.send(delivery, directory))
  }
  const started = starting.move()
  return { message: files.message, proxy, attempt, close: () => started.disposeAsync() }
}

async function writeFiles() {
  const authority = await makeAuthority()
  const certificate = await authority.issue({ dnsNames: ['localhost'] })
  const other = await makeAuthority('Another Authority')
  const message = preparedMessage(ADDRESSES.from, ADDRESSES.to)
  const { paths, remove } = writeTemporaryFiles({
    'ca.pem': authority.certPem,
    'other-ca.pem': other.certPem,
    'cert.pem': certificate.certPem,
    'key.pem': certificate.keyPem,
    'message.eml': message,
  })
  return { paths, message, remove }
}

/** Compiles the clients that need it, in parallel. Returns the compilers' errors by the clients' names. */
export async function buildAll(
  clients: readonly SmtpClient[],
  directory: string,
): Promise<ReadonlyMap<string, string>> {
  const failures = new Map<string, string>()
  const build = async ({ name }: SmtpClient, command: Command) => {
    // the first time, Go compiles its standard library: half a minute on a small machine
    const { code, stdout, stderr } = await run(command, 180_000)
    if (code !== 0) failures.set(name, stdout + stderr)
  }
  await Promise.all(clients.map((client) => client.build && build(client, client.build(directory))))
  return failures
}

async function observe({ ledger }: Simulator, command: Command): Promise<Attempt> {
  const before = { messages: ledger.messages.length, commands: ledger.commands.length, replies: ledger.replies.length }
  const start = performance.now()
  const outcome = await run(command)
  const elapsedMs = performance.now() - start
  return {
    outcome,
    elapsedMs,
    bodies: ledger.messages.slice(before.messages).map(({ sha256, code }) => ({ sha256, code })),
    auth: ledger.commands
      .slice(before.commands)
      .filter(isAuth)
      .map(({ line, tls }) => ({ line, tls })),
    authReplies: ledger.replies
      .slice(before.replies)
      .filter(isAuth)
      .map(({ code }) => code),
  }
}

function isAuth({ command }: { readonly command: string }): boolean {
  return command === 'AUTH'
}
