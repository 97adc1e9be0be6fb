import { constants } from 'node:crypto'
import { readFileSync } from 'node:fs'
import tls from 'node:tls'

/**
 * The groups that the proxy offers for the key exchange. X25519 first, because post-quantum keys cost a handshake CPU and
 * bytes; servers that prefer them request them.
 */
const GROUPS: readonly string[] = ['X25519', 'X25519MLKEM768', 'prime256v1', 'secp384r1']

/**
 * The TLS contexts of dials. The client sends a key of its first group only. A server that prefers another group requests a
 * new key (HelloRetryRequest, RFC 8446 4.1.4), which costs a round trip and a key of both sides in each handshake. So the
 * group that an upstream chose last is the first one of its next handshake.
 */
export class TlsContexts {
  readonly #authorities: readonly string[]
  /** By their first group. */
  readonly #contexts = new Map<string, tls.SecureContext>()
  readonly #chosen = new Map<string, string>()

  /** Trusts `caFile` in addition to the built-in authorities. Throws if the file cannot be read or parsed. */
  constructor(caFile?: string) {
    const own = caFile === undefined ? [] : [readFileSync(caFile, 'utf8')]
    this.#authorities = [...tls.getCACertificates('default'), ...own]
    this.#beginningWith(GROUPS[0]!)
  }

  /** The context for a handshake with this upstream. The first one for a group takes about 10 ms. */
  for(upstream: string): tls.SecureContext {
    return this.#beginningWith(this.#chosen.get(upstream) ?? GROUPS[0]!)
  }

  /** A verified handshake with this upstream has ended. */
  secured(upstream: string, socket: tls.TLSSocket): void {
    const { name } = socket.getEphemeralKeyInfo() as { readonly name?: string }
    // without a name: resumed by TLS 1.2, or a group that this version of Node cannot name
    if (name !== undefined && GROUPS.includes(name)) this.#chosen.set(upstream, name)
  }

  #beginningWith(first: string): tls.SecureContext {
    const known = this.#contexts.get(first)
    if (known) return known
    const context = tls.createSecureContext({
      ca: [...this.#authorities],
      minVersion: 'TLSv1.2',
      ecdhCurve: [first, ...GROUPS.filter((group) => group !== first)].join(':'),
      secureOptions: constants.SSL_OP_NO_RENEGOTIATION | constants.SSL_OP_NO_COMPRESSION,
    })
    this.#contexts.set(first, context)
    return context
  }
}
