/**
 * The rehearsal AhaSend: an SMTP server on this machine that behaves as ahasend.com/docs/smtp documents, misbehaves as
 * told, and keeps books. It delivers nothing.
 *
 * It is npm smtp-server (line parser, STARTTLS, AUTH PLAIN, addresses, order of commands) with the connection subclassed.
 * What stays approximate: commands may end in LF alone; a line of more than 16 KB closes the connection after its 500;
 * addresses are checked by smtp-server's rules; clients that talk before the greeting are answered after it; a body line
 * may have any length; after 552 for a message too big the transaction is over.
 */
import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import type { SecureVersion } from 'node:tls'
import { SMTPServer } from 'smtp-server'
import { type Authority, type Certificate, makeAuthority, writeTemporaryFiles } from '../support/certificates.ts'
import { ActiveFaults, type FaultOptions } from './active-faults.ts'
import { AUTHORITY_NAME } from './certificate-authority.ts'
import { makeControl } from './control/server.ts'
import { Ledger, type LedgerDetail } from './ledger.ts'
import { AHASEND_LIMITS, type Limits } from './smtp/command-checks.ts'
import { AhaSendConnection } from './smtp/connection.ts'
import type { SessionContext } from './smtp/session-context.ts'
import { portOf, relay } from './wire-relay.ts'

/** How a simulator differs from AhaSend's usual self. */
export interface SimulatorOptions {
  /** Address to listen on. Default 127.0.0.1. */
  readonly host?: string
  /** Default 0: any free port. */
  readonly port?: number
  /** Port of the control page, on the same address. Default 0: any free port. */
  readonly httpPort?: number
  /** The name that it gives itself in replies. */
  readonly hostname?: string
  /** Chooses the random strikes of faults. Default: random. */
  readonly seed?: number
  /** False lets everything pass in the clear. Default true. */
  readonly requireTls?: boolean
  /** False hides and refuses STARTTLS. Default true. */
  readonly offerTls?: boolean
  /** False lets everybody send, and hides AUTH. Default true. */
  readonly requireAuth?: boolean
  /** User names and their passwords. Default: `app` with `secret`. */
  readonly accounts?: Readonly<Record<string, string>>
  readonly limits?: Partial<Limits>
  /** Milliseconds without data until the 421. Default 60,000. */
  readonly idleMs?: number
  /** True keeps each body in the ledger. Default false. */
  readonly keepBodies?: boolean
  /** False accepts lines that end in LF alone in a body. Default true: 552, as KumoMTA does. */
  readonly refuseBareLineFeeds?: boolean
  readonly ledger?: LedgerDetail
  readonly faults?: Readonly<Record<string, FaultOptions>>
  /** Signs the certificate, where none is given. Default: an authority of its own. */
  readonly authority?: Authority
  /** Default: one for localhost, 127.0.0.1 and ::1, signed by the authority. */
  readonly certificate?: Certificate
  readonly minTlsVersion?: SecureVersion
  readonly maxTlsVersion?: SecureVersion
}

/** A running simulator. */
export interface Simulator {
  readonly host: string
  readonly port: number
  readonly httpPort: number
  readonly seed: number
  /** What a client has to trust, as PEM and as a file. */
  readonly caPem: string
  readonly caFile: string
  readonly faults: ActiveFaults
  readonly ledger: Ledger
  /** Cuts all connections, stops listening, and deletes the CA file. */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/** User name and password that work unless accounts are given. */
export const DEFAULT_ACCOUNT = { user: 'app', pass: 'secret' }

/** Starts a simulator; rejects when a port is taken. */
export async function startSimulator(options: SimulatorOptions = {}): Promise<Simulator> {
  const host = options.host ?? '127.0.0.1'
  const seed = options.seed ?? Math.floor(Math.random() * 2 ** 32)
  const context = makeContext(options, new ActiveFaults(seed))
  for (const [name, how] of Object.entries(options.faults ?? {})) context.faults.set(name, how)
  const authority = options.authority ?? (await makeAuthority(AUTHORITY_NAME))
  const certificate = options.certificate ?? (await authority.issue())
  const smtp = makeSmtp(options, certificate)
  const listeners = makeListeners(smtp, context)
  const control = makeControl(context.faults, context.ledger)
  await listen(listeners.inner, 0, '127.0.0.1')
  await listen(listeners.front, options.port ?? 0, host)
  await listen(control, options.httpPort ?? 0, host)
  const files = writeTemporaryFiles({ 'ca.pem': authority.certPem })
  const close = async () => {
    control.closeAllConnections()
    for (const socket of listeners.sockets) socket.destroy()
    await Promise.all([shut(listeners.front), shut(listeners.inner), shut(control)])
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

/** smtp-server as the holder of options and TLS contexts; it never listens itself. */
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
      // As AhaSend documents. Older versions of its documentation say 500: the fault `500-at-auth`.
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
  /** Where clients come in. */
  readonly front: Server
  /** Where the relays of connections with wire faults come in. */
  readonly inner: Server
  readonly sockets: ReadonlySet<Socket>
}

function makeListeners(smtp: SMTPServer, context: SessionContext): Listeners {
  const sockets = new Set<Socket>()
  const hold = (socket: Socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  }
  const receive = (socket: Socket) => {
    const connection = new AhaSendConnection(smtp, socket, context)
    smtp.connections.add(connection)
    connection.init()
  }
  const halfOpen = { allowHalfOpen: true, noDelay: true }
  const inner = createServer(halfOpen, receive)
  const front = createServer(halfOpen, (socket) => {
    const faults = context.faults.wireFaults()
    if (faults.length === 0) receive(socket)
    else hold(relay(socket, portOf(inner), faults, context.faults.random))
  })
  for (const server of [inner, front]) server.on('connection', hold)
  return { front, inner, sockets }
}

async function listen(server: Server, port: number, host: string): Promise<void> {
  server.listen(port, host)
  await once(server, 'listening')
}

function shut(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()))
}
