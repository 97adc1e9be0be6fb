/** Upstreams that secure their connection by a TLS context of the test's: of any certificate, version or memory. */
import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import type * as tls from 'node:tls'
import type { Identity, Peer } from '../sockets/scripted-peers.ts'
import type { Certificate } from './certificates.ts'

/** Plays the preamble with a context of the test's, which later handshakes may resume. */
export async function secureBy(peer: Peer, secureContext: tls.SecureContext, options: tls.TLSSocketOptions = {}) {
  await peer.send('220 mail.example ESMTP\r\n')
  await peer.readLine()
  await peer.send('250-mail.example\r\n250 STARTTLS\r\n')
  await peer.readUntil('STARTTLS\r\n')
  await peer.send('220 go\r\n')
  await peer.secureAsServer(secureContext, options)
}

/** The same for a handshake that the proxy breaks off, before or behind its own last message. */
export async function isRefused(peer: Peer, secureContext: tls.SecureContext): Promise<void> {
  await secureBy(peer, secureContext).catch(() => {})
  await peer.closed()
}

/** The certificate as a peer takes it. */
export function identityOf({ certPem, keyPem }: Certificate): Identity {
  return { cert: certPem, key: keyPem }
}

/** When the certificate ends, in seconds since the Unix epoch. */
export function notAfterOf({ cert }: Identity): number {
  return Math.floor(Date.parse(new X509Certificate(cert).validTo) / 1000)
}

/** The greeting, a command and its answer make the whole way: everything TLS has to say was read by then. */
export async function talks(client: Peer, peer: Peer): Promise<void> {
  assert.equal(await client.readReply(), '220 mail.example ESMTP\r\n')
  await client.send('NOOP\r\n')
  assert.equal(await peer.readLine(), 'NOOP\r\n')
  await peer.send('250 ok\r\n')
  assert.equal(await client.readReply(), '250 ok\r\n')
}
