/** Upstreams that use a TLS context of the test: with any certificate, TLS version or session cache. */
import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import type * as tls from 'node:tls'
import type { Identity, Peer } from '../sockets/scripted-peers.ts'
import type { Certificate } from './certificates.ts'

/** Plays the preamble with a context of the test. Later handshakes can resume its TLS sessions. */
export async function secureWith(peer: Peer, secureContext: tls.SecureContext, options: tls.TLSSocketOptions = {}) {
  await peer.send('220 mail.example ESMTP\r\n')
  await peer.readLine()
  await peer.send('250-mail.example\r\n250 STARTTLS\r\n')
  await peer.readUntil('STARTTLS\r\n')
  await peer.send('220 go\r\n')
  await peer.secureAsServer(secureContext, options)
}

/** Plays the preamble with a context that the proxy refuses, before or after its own last handshake message. */
export async function isRefused(peer: Peer, secureContext: tls.SecureContext): Promise<void> {
  await secureWith(peer, secureContext).catch(() => {})
  await peer.closed()
}

/** The certificate in the form that a peer expects. */
export function identityOf({ certPem, keyPem }: Certificate): Identity {
  return { cert: certPem, key: keyPem }
}

/** When the certificate expires, in seconds since the Unix epoch. */
export function notAfterOf({ cert }: Identity): number {
  return Math.floor(Date.parse(new X509Certificate(cert).validTo) / 1000)
}

/** Relays the greeting, a command and its reply. By then the proxy has read all TLS messages of the handshake. */
export async function talks(client: Peer, peer: Peer): Promise<void> {
  assert.equal(await client.readReply(), '220 mail.example ESMTP\r\n')
  await client.send('NOOP\r\n')
  assert.equal(await peer.readLine(), 'NOOP\r\n')
  await peer.send('250 ok\r\n')
  assert.equal(await client.readReply(), '250 ok\r\n')
}
