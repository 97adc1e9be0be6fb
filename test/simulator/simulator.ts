/**
 * A simulated AhaSend: an SMTP server on this machine that behaves as ahasend.com/docs/smtp documents. Faults make it
 * misbehave, and a ledger records what it receives and sends. It delivers nothing.
 *
 * It is npm smtp-server (line parser, STARTTLS, AUTH PLAIN, addresses, order of commands) with a subclass of its
 * connection. Known differences from AhaSend: a command may end in LF alone; a line above 16 KB gets 500 and a closed
 * connection; addresses follow smtp-server's rules; a client that sends before the greeting gets its reply after the
 * greeting; a body line may have any length; the 552 for a message that is too big ends the transaction.
 */
import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import type { SecureVersion } from 'node:tls'
import { SMTPServer } from 'smtp-server'
import { writeTemporaryFiles } from '../support/files/temporary-files.ts'
import { type Authority, type Certificate, makeAuthority } from '../support/tls/certificates.ts'
import { ActiveFaults, type FaultOptions } from './active-faults.ts'
import { AUTHORITY_NAME } from './certificate-authority.ts'
import type { IncidentLog } from './control/incident-log.ts'
import { makeControl } from './control/server.ts'
import type { ControlLinks } from './control/state.ts'
import { Ledger, type LedgerDetail } from './ledger.ts'
import { AHASEND_LIMITS, type Limits } from './smtp/command-checks.ts'
import { AhaSendConnection } from './smtp/connection.ts'
import type { SessionContext } from './smtp/session-context.ts'
import { portOf, relay } from './wire-relay.ts'

/** Options of a simulator. By default it behaves like AhaSend. */
export interface SimulatorOptions {
  /** Address to listen on. Default 127.0.0.1. */
  readonly host?: string
  /** Default 0: any free port. */
  readonly port?: number
  /** Port of the control page, on the same address. Default 0: any free port. */
  readonly httpPort?: number
  /** Its name in replies. Default: rehearsal.ahasend.example. */
  readonly hostname?: string
  /** Seed of the random generator that decides when faults apply. Default: random. */
  readonly seed?: number
  /** False allows all commands without TLS. Default true. */
  readonly requireTls?: boolean
  /** False removes STARTTLS. Default true. */
  readonly offerTls?: boolean
  /** False allows mail without AUTH, and does not offer AUTH. Default true. */
  readonly requireAuth?: boolean
  /** User names and their passwords. Default: `app` with `secret`. */
  readonly accounts?: Readonly<Record<string, string>>
  readonly limits?: Partial<Limits>
  /** Milliseconds without data until the unsolicited 421. Default 60,000. */
  readonly idleMs?: number
  /** True keeps each body in the ledger. Default false. */
  readonly keepBodies?: boolean
  /** False accepts body lines that end in LF alone. Default true: they get 552, as from KumoMTA. */
  readonly refuseBareLineFeeds?: boolean
  readonly ledger?: LedgerDetail
  readonly faults?: Readonly<Record<string, FaultOptions>>
  /** Signs the certificate, if none is given. Default: a new authority. */
  readonly authority?: Authority
  /** Default: one for localhost, 127.0.0.1 and ::1, signed by the authority. */
  readonly certificate?: Certificate
  readonly minTlsVersion?: SecureVersion
  readonly maxTlsVersion?: SecureVersion
  /** What the control page links to, and where it learns which alerts fire. */
  readonly links?: ControlLinks
}

/** A running simulator. */
export interface Simulator {
  readonly host: string
  readonly port: number
  readonly httpPort: number
  readonly seed: number
  /** The CA certificate that a client must trust, as PEM and as a file. */
  readonly caPem: string
  readonly caFile: string
  readonly faults: ActiveFaults
  readonly ledger: Ledger
  /** What its control page started. */
  readonly incidents: IncidentLog
  /** Closes all connections, stops listening, and deletes the CA file. */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/** The account that works by default. */
export const DEFAULT_ACCOUNT = { user: 'app', pass: 'secret' }

/** Starts a simulator. Rejects if a port is in use. */
export async function startSimulator(options: SimulatorOptions = {}): Promise<Simulator> {
  const host = options.host ?? '127.0.0.1'
  const seed = options.seed ?? Math.floor(Math.random() * 2 ** 32)
  const context = makeContext(options, new ActiveFaults(seed))
  for (const [name, faultOptions] of Object.entries(options.faults ?? {})) context.faults.set(name, faultOptions)
  const authority = options.authority ?? (await makeAuthority(AUTHORITY_NAME))
  const certificate = options.certificate ?? (await authority.issue())
  const smtp = makeSmtp(options, certificate)
  const listeners = makeListeners(smtp, context)
  const { server: control, incidents } = makeControl(context.faults, context.ledger, options.links)
  await listen(listeners.behindRelay, 0, '127.0.0.1')
  await listen(listeners.front, options.port ?? 0, host)
  await listen(control, options.httpPort ?? 0, host)
  const files = writeTemporaryFiles({ 'ca.pem': authority.certPem })
  const close = async () => {
    control.closeAllConnections()
    for (const socket of listeners.sockets) socket.destroy()
    await Promise.all([stopListening(listeners.front), stopListening(listeners.behindRelay), stopListening(control)])
    files.remove()
  }
  return {
    host,
    port: portOf(listeners.front),
    httpPort: portOf(control),
    seed,
    caPem: authority.certPem,
    caFile: files.paths['ca.pem'],
    faults: context.faults,
    ledger: context.ledger,
    incidents,
    close,
    [Symbol.asyncDispose]: close,
  }
}

function makeContext(options: SimulatorOptions, faults: ActiveFaults): SessionContext {
  return {
    hostname: options.hostname ?? 'rehearsal.ahasend.example',
    requireTls: options.requireTls ?? true,
    offerTls: options.offerTls ?? true,
    requireAuth: options.requireAuth ?? true,
    limits: { ...AHASEND_LIMITS, ...options.limits },
    idleMs: options.idleMs ?? 60_000,
    keepBodies: options.keepBodies ?? false,
    refuseBareLineFeeds: options.refuseBareLineFeeds ?? true,
    ledger: new Ledger(options.ledger),
    faults,
  }
}

/** smtp-server holds the options and the TLS context. It does not listen. */
function makeSmtp(options: SimulatorOptions, { certPem, keyPem }: Certificate): SMTPServer {
  const accounts = new Map(Object.entries(options.accounts ?? { [DEFAULT_ACCOUNT.user]: DEFAULT_ACCOUNT.pass }))
  const smtp = new SMTPServer({
    name: options.hostname ?? 'rehearsal.ahasend.example',
    banner: 'AhaSend rehearsal',
    key: keyPem,
    cert: certPem,
    ...(options.minTlsVersion && { minVersion: options.minTlsVersion }),
    ...(options.maxTlsVersion && { maxVersion: options.maxTlsVersion }),
    authMethods: ['PLAIN'],
    authOptional: true,
    allowInsecureAuth: options.requireTls === false,
    disableReverseLookup: true,
    logger: false,
    onAuth({ username = '', password }, _session, done) {
      const known = accounts.has(username) && accounts.get(username) === password
      // AhaSend documents 535. Older versions of its documentation say 500: use the fault `500-at-auth`.
      done(null, known ? { user: username } : { responseCode: 535 })
    },
    onConnect: (_session, done) => done(),
    onSecure: (_socket, _session, done) => done(),
    onMailFrom: (_address, _session, done) => done(),
    onRcptTo: (_address, _session, done) => done(),
  })
  smtp.on('error', () => {})
  return smtp
}

interface Listeners {
  /** Accepts clients. */
  readonly front: Server
  /** Accepts the connections of relays, which carry clients with wire faults. */
  readonly behindRelay: Server
  readonly sockets: ReadonlySet<Socket>
}

function makeListeners(smtp: SMTPServer, context: SessionContext): Listeners {
  const sockets = new Set<Socket>()
  const track = (socket: Socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  }
  const serve = (socket: Socket) => {
    const connection = new AhaSendConnection(smtp, socket, context)
    smtp.connections.add(connection)
    connection.init()
  }
  const halfOpen = { allowHalfOpen: true, noDelay: true }
  const behindRelay = createServer(halfOpen, serve)
  const front = createServer(halfOpen, (socket) => {
    const faults = context.faults.wireFaults()
    if (faults.length === 0) serve(socket)
    else track(relay(socket, portOf(behindRelay), faults, context.faults.random))
  })
  for (const server of [behindRelay, front]) server.on('connection', track)
  return { front, behindRelay, sockets }
}

async function listen(server: Server, port: number, host: string): Promise<void> {
  server.listen(port, host)
  await once(server, 'listening')
}

function stopListening(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()))
}
