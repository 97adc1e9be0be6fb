/** The events of upstream connections. */
import type { DialError, DialPhase } from './closed-sets.ts'

/** One attempt to reach one upstream, whether or not a session was waiting for it. */
export interface Dial {
  readonly type: 'dial'
  readonly at: number
  readonly end: number
  /** The configured host and port. */
  readonly serverAddress: string
  readonly serverPort: number
  /** The IP address that answered; absent if none did. */
  readonly peerAddress?: string
  /** Milliseconds spent in each phase that was entered. */
  readonly phases: Readonly<Partial<Record<DialPhase, number>>>
  /** Absent on success. */
  readonly error?: DialError
  /** The code of the last reply: to the connection (the greeting), EHLO or STARTTLS. */
  readonly replyCode?: number
  /** The name that Node, the resolver or OpenSSL gives to the failure, such as `CERT_HAS_EXPIRED`. */
  readonly detail?: string
  /** The advice to the operator; only with `local_resources_exhausted`. */
  readonly advice?: string
  /** True if the TLS session was resumed. */
  readonly resumed: boolean
  readonly tlsProtocol?: string
  readonly tlsCipher?: string
  /** When the upstream's certificate expires, in seconds since the Unix epoch. */
  readonly certificateNotAfter?: number
}

/**
 * The session got a connection that does not follow from its last dial: a preconnected one, or one that greeted with a
 * refusal. The dial itself was reported when it ended.
 */
export interface Handover {
  readonly type: 'handover'
  readonly at: number
  readonly dial: Dial
  /** True if the connection was preconnected. */
  readonly preconnected: boolean
}
