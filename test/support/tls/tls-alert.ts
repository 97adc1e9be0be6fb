/** Encrypts a TLS alert (RFC 8446) as a client sends it after its handshake. Node has no API that sends one. */
import { createCipheriv, createHmac } from 'node:crypto'

/** AlertDescription values (RFC 8446 6). */
export const UNKNOWN_CA = 48

const CONTENT_TYPE_ALERT = 21
const FATAL = 2

/**
 * A fatal alert as the first record of a TLS 1.3 client after its handshake. `secret` is CLIENT_TRAFFIC_SECRET_0 of the
 * key log; the cipher suite must be TLS_AES_128_GCM_SHA256.
 */
export function encryptedAlert(secret: Buffer, description: number): Buffer {
  const plain = Buffer.of(FATAL, description, CONTENT_TYPE_ALERT)
  const header = Buffer.of(23, 3, 3, 0, plain.length + 16)
  // the nonce of the first record is the IV itself: its sequence number is 0 (RFC 8446 5.3)
  const cipher = createCipheriv('aes-128-gcm', expand(secret, 'key', 16), expand(secret, 'iv', 12))
  cipher.setAAD(header)
  return Buffer.concat([header, cipher.update(plain), cipher.final(), cipher.getAuthTag()])
}

/** HKDF-Expand-Label with an empty context, for at most one block of SHA-256 (RFC 8446 7.1). */
function expand(secret: Buffer, label: string, length: number): Buffer {
  const name = Buffer.from(`tls13 ${label}`)
  const info = Buffer.concat([Buffer.of(0, length, name.length), name, Buffer.of(0, 1)])
  return createHmac('sha256', secret).update(info).digest().subarray(0, length)
}

/** The client's traffic secret in a line of a key log (SSLKEYLOGFILE); undefined when the line has another secret. */
export function trafficSecret(line: Buffer): Buffer | undefined {
  const [label, , secret = ''] = line.toString('latin1').trim().split(' ')
  return label === 'CLIENT_TRAFFIC_SECRET_0' ? Buffer.from(secret, 'hex') : undefined
}
