/**
 * The cipher suites and key exchange groups that apps may use, from Mozilla's Server Side TLS guidelines 5.8
 * (https://github.com/mozilla/ssl-config-generator/releases/tag/v5.8). Suites with ECDSA are for certificates with an
 * elliptic curve key, suites with RSA for those with an RSA key. There is no DHE suite: its key exchange costs a server
 * more than its clients (CVE-2002-20001), and every client of TLS 1.2 has ECDHE.
 */
import { createSecureContext, type SecureContextOptions } from 'node:tls'

/** The choices of PROXY_TLS_CIPHERS. TLS is 1.2 or newer with each of them. */
export const CIPHER_POLICIES = ['intermediate', 'old'] as const

export type CipherPolicy = (typeof CIPHER_POLICIES)[number]

/** Forward secrecy and authenticated encryption: all suites of TLS 1.3, and the equivalent suites of TLS 1.2. */
const INTERMEDIATE = [
  'TLS_AES_128_GCM_SHA256',
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
]

/** Mozilla's "old" without 3DES, which OpenSSL no longer has: also CBC, and RSA key exchange without forward secrecy. */
const OLD = [
  ...INTERMEDIATE,
  'ECDHE-ECDSA-AES128-SHA256',
  'ECDHE-RSA-AES128-SHA256',
  'ECDHE-ECDSA-AES128-SHA',
  'ECDHE-RSA-AES128-SHA',
  'ECDHE-ECDSA-AES256-SHA384',
  'ECDHE-RSA-AES256-SHA384',
  'ECDHE-ECDSA-AES256-SHA',
  'ECDHE-RSA-AES256-SHA',
  'AES128-GCM-SHA256',
  'AES256-GCM-SHA384',
  'AES128-SHA256',
  'AES256-SHA256',
  'AES128-SHA',
  'AES256-SHA',
]

const GROUPS = 'X25519:prime256v1:secp384r1'

/** The post-quantum hybrid comes first where OpenSSL has it (3.5, included in Node since 24.5). */
const ecdhCurve = supports('X25519MLKEM768') ? `X25519MLKEM768:${GROUPS}` : GROUPS

/** The options of a secure context. With `intermediate` the client's preference decides, with `old` the proxy's. */
export const CIPHERS: Readonly<Record<CipherPolicy, SecureContextOptions>> = {
  intermediate: { ciphers: INTERMEDIATE.join(':'), honorCipherOrder: false, ecdhCurve },
  old: { ciphers: OLD.join(':'), honorCipherOrder: true, ecdhCurve },
}

function supports(group: string): boolean {
  try {
    createSecureContext({ ecdhCurve: group })
    return true
  } catch {
    return false
  }
}
