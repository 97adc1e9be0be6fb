/** A listener's certificate in files, a server that uses it, and clients that read it. */

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import type { TestContext } from 'node:test'
import { type ConnectionOptions, connect, TLSSocket } from 'node:tls'
import type { CipherPolicy } from '../../../proxy/net/cipher-suites.ts'
import { ListenerCertificate, type ListenerTls, loadCertificate } from '../../../proxy/net/listener-certificate.ts'
import { writeTemporaryFiles } from '../files/temporary-files.ts'
import { listenOnLoopback } from '../sockets/listen.ts'
import { type Certificate, makeAuthority } from './certificates.ts'

/** The authority that signs all certificates here. Clients of `serve` trust it. */
export const authority = await makeAuthority()
/** A certificate with an EC key. */
export const first = await authority.issue({ commonName: 'first' })
/** A certificate with an RSA key. */
export const second = await authority.issue({ commonName: 'second', keyType: 'rsa' })

/** Loads a certificate from temporary files. `write` replaces one of the files. */
export function load(t: TestContext, { certPem, keyPem }: Certificate = first, ciphers?: CipherPolicy) {
  const files = writeTemporaryFiles({ 'tls.crt': certPem, 'tls.key': keyPem })
  t.after(() => files.remove())
  const certificate = loaded({
    certFile: files.paths['tls.crt'],
    keyFile: files.paths['tls.key'],
    ...(ciphers && { ciphers }),
  })
  t.after(() => certificate.close())
  const write = (name: 'tls.crt' | 'tls.key', text: string) => writeFileSync(files.paths[name], text)
  return { certificate, write, files }
}

/** Loads the certificate from these files. Fails when it is invalid. */
export function loaded(files: ListenerTls): ListenerCertificate {
  const certificate = loadCertificate(files)
  assert.ok(certificate instanceof ListenerCertificate, JSON.stringify(certificate))
  return certificate
}

/** A server that uses the current context for each connection, as the proxy does, and sends `hello` inside TLS. */
export async function serve(t: TestContext, certificate: ListenerCertificate) {
  const sockets = new Set<TLSSocket>()
  const errors: string[] = []
  const server = createServer((plain) => {
    plain.on('error', () => {})
    const socket = new TLSSocket(plain, { isServer: true, secureContext: certificate.context })
    socket.on('error', ({ message }) => errors.push(message))
    socket.write('hello')
    sockets.add(socket)
  })
  const port = await listenOnLoopback(server)
  t.after(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  const dial = (options: ConnectionOptions = {}) => {
    const socket = connect({ port, host: '127.0.0.1', ca: authority.certPem, servername: 'localhost', ...options })
    t.after(() => socket.destroy())
    return socket
  }
  return { dial, errors }
}

/** Completes a handshake and returns the CN of the server's certificate. Rejects when the handshake fails. */
export async function handshake(socket: TLSSocket): Promise<string | undefined> {
  await once(socket, 'secureConnect')
  return String(socket.getPeerCertificate().subject?.CN)
}
