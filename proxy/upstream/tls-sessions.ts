/**
 * Milliseconds after a full handshake during which its TLS session, and the sessions that the upstream issues on
 * resumption, may be resumed. A resumed session shows no certificate, so a renewed certificate is seen after this time at
 * the latest.
 */
const RESUMABLE_MS = 24 * 60 * 60 * 1000

/** The maximum number of sessions that are kept of each upstream, 2 to 4 KB each: as many dials as begin together in a burst. */
export const MAX_SESSIONS = 16

/** The certificate that a full handshake verified. Resumed sessions inherit it. */
export interface Verified {
  /** When the certificate expires, in seconds since the Unix epoch. */
  readonly notAfter: number
  /** When it was verified, by the dialer's clock. */
  readonly at: number
}

/** A TLS session, which an upstream issued as a ticket. */
export interface TlsSession {
  readonly session: Buffer
  readonly verified: Verified
}

/**
 * The newest TLS sessions of each upstream. Each dial gets a session of its own, because a server may accept a TLS 1.3 ticket only
 * once (RFC 8446 C.4): it would answer the second dial with a full handshake. The last session is kept for more dials, because
 * TLS 1.2 sessions, and servers that issue no ticket on resumption, expect that.
 */
export class TlsSessions {
  readonly #kept = new Map<string, TlsSession[]>()
  readonly #clock: () => number

  /** `clock`, in milliseconds, measures the age of sessions. */
  constructor(clock: () => number) {
    this.#clock = clock
  }

  keep(upstream: string, session: TlsSession): void {
    const kept = this.#kept.get(upstream) ?? []
    this.#kept.set(upstream, kept)
    kept.push(session)
    if (kept.length > MAX_SESSIONS) kept.shift()
  }

  /**
   * The newest session to resume. Not one whose certificate has expired, or that is too old: then the upstream must show its
   * certificate.
   */
  take(upstream: string): TlsSession | undefined {
    const [wall, time] = [Date.now(), this.#clock()]
    const resumable = ({ verified: { notAfter, at } }: TlsSession) => notAfter * 1000 > wall && time - at < RESUMABLE_MS
    const kept = (this.#kept.get(upstream) ?? []).filter(resumable)
    const newest = kept.length > 1 ? kept.pop() : kept[0]
    this.#kept.set(upstream, kept)
    return newest
  }
}
