/** A listener's certificate in files, a server that shows it, and clients that look at it. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import type { TestContext } from 'node:test'
import { type ConnectionOptions, connect, TLSSocket } from 'node:tls'
import type { CipherPolicy } from '../../../proxy/net/cipher-suites.ts'
import { ListenerCertificate, type ListenerTls, loadCertificate } from '../../../proxy/net/listener-certificate.ts'
import { type Certificate, makeAuthority, writeTemporaryFiles } from './certificates.ts'

/** Signs everything here; clients of `serve` trust it. */
export const authority = await makeAuthority()
export const first = await authority.issue({ commonName: 'first' })
/** Its key is of another type than that of `first`. */
export const second = await authority.issue({ commonName: 'second', keyType: 'rsa' })

/** Loads a certificate from files of its own; `write` replaces one of them. */
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

/** The certificate in these files, which must be good. */
export function loaded(files: ListenerTls): ListenerCertificate {
  const certificate = loadCertificate(files)
  assert.ok(certificate instanceof ListenerCertificate, JSON.stringify(certificate))
  return certificate
}

/** A server that takes the context anew for each connection, as the proxy does, and says `hello` inside TLS. */
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
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  const { port } = server.address() as AddressInfo
  const dial = (options: ConnectionOptions = {}) => {
    const socket = connect({ port, host: '127.0.0.1', ca: authority.certPem, servername: 'localhost', ...options })
    t.after(() => socket.destroy())
    return socket
  }
  return { dial, errors }
}

/** Completes a handshake and returns the CN of the certificate that was shown; rejects when there is none. */
export async function handshake(socket: TLSSocket): Promise<string | undefined> {
  await once(socket, 'secureConnect')
  return String(socket.getPeerCertificate().subject?.CN)
}
