/** The events of upstream connections. */
import type { DialError, DialPhase, LookupError, PreconnectionEnd } from './closed-sets.ts'

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
  /** Only if the resolver failed: the age of its last good answer, which the dial used, in milliseconds. */
  readonly answerAgeMs?: number
}

/** A lookup of an upstream's name. It may be for several dials, or for none. */
export interface Lookup {
  readonly type: 'lookup'
  readonly at: number
  /** When it ended or, with `resolver_timeout`, when it was overdue. */
  readonly end: number
  /** The configured host. */
  readonly serverAddress: string
  /** Absent on success. */
  readonly error?: LookupError
  /** The resolver's name of the error. */
  readonly detail?: string
  /** Only with an error: the age of the last good answer, if there is one that dials use, in milliseconds. */
  readonly answerAgeMs?: number
}

/** A preconnected connection that no session used was closed. */
export interface Unused {
  readonly type: 'unused'
  readonly at: number
  readonly end: Exclude<PreconnectionEnd, 'used'>
  /** The dial that made the connection. */
  readonly dial: Dial
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
