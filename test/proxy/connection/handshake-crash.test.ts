/**
 * Node 24 crashes (SIGSEGV, which cannot be caught) if the TCP socket is reset and the TLS socket on top of it destroyed in
 * the turn in which the handshake ended. Here sessions are cut at exactly that moment. A crash ends this file, so it fails.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createSecureContext } from 'node:tls'
import type { SessionEvent } from '../../../proxy/events/session-event.ts'
import { type ProxyServer, startServer } from '../../../proxy/server/server.ts'
import { parseConfig } from '../../../proxy/settings/settings.ts'
import { ask } from '../../simulator/client.ts'
import { startSimulator } from '../../simulator/simulator.ts'
import { writeTemporaryFiles } from '../../support/files/temporary-files.ts'
import { connectClient, startTls } from '../../support/sockets/scripted-peers.ts'
import { makeAuthority } from '../../support/tls/certificates.ts'

for (const [moment, connection] of [
  ['tls', 'the client connection'],
  ['greeting', 'the upstream connection'],
] as const) {
  test(`cutting a session at the end of the handshake of ${connection} does not crash the process`, async (t) => {
    const authority = await makeAuthority()
    const { certPem, keyPem } = await authority.issue({ dnsNames: ['localhost'] })
    const files = writeTemporaryFiles({ 'cert.pem': certPem, 'key.pem': keyPem })
    const simulator = await startSimulator()
    t.after(() => simulator.close())
    const parsed = parseConfig({
      PROXY_LISTEN: 'smtp://127.0.0.1:0',
      PROXY_UPSTREAM: `smtp://localhost:${simulator.port}`,
      PROXY_UPSTREAM_CA_FILE: simulator.caFile,
      PROXY_TLS_CERT_FILE: files.paths['cert.pem'],
      PROXY_TLS_KEY_FILE: files.paths['key.pem'],
      PROXY_WARM_CONNECTIONS: '0',
    })
    files.remove()
    if ('mistakes' in parsed) throw new Error(parsed.mistakes.join('\n'))
    const certificate = { context: createSecureContext({ cert: certPem, key: keyPem }) }
    for (let times = 0; times < 10; times += 1) {
      const cut = Promise.withResolvers<void>()
      const observe = (event: SessionEvent) => {
        if (event.type === moment) server.close().then(cut.resolve)
      }
      const telemetry = {
        open: () => observe,
        dial() {},
        observerFailed: (error: unknown) => assert.fail(String(error)),
      }
      const server: ProxyServer = await startServer({ config: parsed.config, telemetry, certificate })
      const client = handshake(server.bound[0]!.port, authority.certPem, cut.promise)
      await cut.promise
      assert.equal(server.activeSessions, 0)
      await client.catch(() => {}) // the cut comes before the client has what it wants
    }
  })
}

/** Stays open until the session was cut. */
async function handshake(port: number, ca: string, cut: Promise<void>): Promise<void> {
  const client = await connectClient({ port })
  try {
    await client.readReply()
    await ask(client, 'EHLO app')
    await startTls(client, { ca, servername: 'localhost' })
  } finally {
    await cut
    client.destroy()
  }
}
