/** Large bodies and a proxy without telemetry that relays them, for tests of bulk transfer. */
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { type ProxyServer, startServer } from '../../../proxy/server/server.ts'
import { configOf } from '../in-process/config.ts'

export const MIB = 2 ** 20
/** AhaSend's limit on the size of a message. */
export const SIZE_LIMIT = 20 * MIB

/** Starts a proxy on a free port. Its observers do nothing and must not fail. */
export function startProxy(env: Readonly<Record<string, string>>): Promise<ProxyServer> {
  const config = configOf({ PROXY_LISTEN: 'smtp://127.0.0.1:0', PROXY_WARM_CONNECTIONS: '0', ...env })
  const observerFailed = (error: unknown) => assert.fail(String(error))
  return startServer({ config, telemetry: { open: () => () => {}, dial() {}, observerFailed } })
}

/** Lines of base64 with a dot, a stuffed dot and an empty line among them; ends in CRLF. */
export function largeBody(size: number): Buffer {
  const block = `${randomBytes(57 * 700)
    .toString('base64')
    .replaceAll(/.{76}/g, '$&\r\n')}..\r\n\r\na.b\r\n`
  const body = Buffer.from(block.repeat(Math.ceil(size / block.length)).slice(0, size), 'latin1')
  body.write('xx\r\n', size - 4, 'latin1')
  return body
}

/** The name of a body in the simulator's ledger. */
export function hashOf(body: Buffer): string {
  return createHash('sha256').update(body).digest('hex')
}
