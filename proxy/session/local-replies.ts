import type { ReplyCause } from '../events/closed-sets.ts'
import type { ReplyFacts } from '../events/reply.ts'

/**
 * Every byte that the proxy ever says to a client in its own name. Each refusal that could hold mail up is a 4yz, each
 * is said before or between mails, and none answers the end of a message: there only the upstream may speak.
 */

const NAME = 'ahasend-smtp-proxy'

/** A reply of the proxy's own. */
export interface OwnWord {
  readonly code: number
  readonly enhancedCode: string
  readonly cause: ReplyCause
  readonly bytes: Buffer
  /** True when the session ends with it. */
  readonly closes: boolean
}

/** A local reply as telemetry reports it. */
export function factsOf({ code, enhancedCode, cause }: OwnWord): ReplyFacts {
  return { code, enhancedCode, cause, origin: 'proxy' }
}

function word(code: number, enhancedCode: string, text: string, cause: ReplyCause = 'none', closes = false): OwnWord {
  return { code, enhancedCode, cause, closes, bytes: Buffer.from(`${code} ${enhancedCode} ${NAME}: ${text}\r\n`) }
}

function farewell(enhancedCode: string, text: string, cause: ReplyCause): OwnWord {
  return word(421, enhancedCode, text, cause, true)
}

/** No upstream could be reached. */
export const UNREACHABLE = farewell(
  '4.4.1',
  'the mail service cannot be reached, try again later',
  'upstream_unreachable',
)

/** An upstream was reached, but not inside TLS that can be trusted. */
export const UNTRUSTED = farewell(
  '4.7.0',
  'no trusted TLS to the mail service, try again later',
  'upstream_unreachable',
)

/** The upstream's greeting was a refusal, and the client wanted more than to quit. */
export const REFUSED = farewell('4.4.1', 'the mail service refused this connection', 'upstream_unreachable')

/** The upstream began a reply that is longer than any reply may be. */
export const REPLY_TOO_LONG = farewell('4.4.2', 'the mail service sent an endless reply', 'upstream_lost')

/** The proxy is about to stop. */
export const DRAINING = farewell('4.3.2', 'restarting, try again at once', 'draining')

/** `PROXY_MAX_SESSIONS` or `PROXY_MAX_SESSIONS_PER_CLIENT` is reached. */
export const SESSION_LIMIT = farewell('4.3.2', 'too many connections, try again later', 'session_limit')

/** This machine has no descriptor, port or memory left for a connection to the upstream. */
export const EXHAUSTED = farewell('4.3.2', 'out of resources, try again later', 'local_resources_exhausted')

/** The client's address is not in `PROXY_ALLOW`. */
export const NOT_ALLOWED = farewell('4.7.0', 'your address may not use this proxy', 'not_allowed')

/** Nothing moved for `PROXY_IDLE_TIMEOUT`. */
export const IDLE = farewell('4.4.2', 'idle too long', 'idle_timeout')

/** RFC 3207 4: the handshake may begin. */
export const READY_FOR_TLS = word(220, '2.0.0', 'ready to start TLS')

/** RFC 3207 4: STARTTLS takes no parameters. */
export const STARTTLS_ARGUMENT = word(501, '5.5.4', 'STARTTLS takes no argument')

/**
 * STARTTLS inside TLS, or after a command that the upstream would not forget: it never sees the reset that RFC 3207 4.2
 * demands, so that what an attacker sent in the clear would survive into the protected session.
 */
export const STARTTLS_REFUSED = word(503, '5.5.1', 'STARTTLS is not possible here')

/** The listener demands TLS. */
export const STARTTLS_FIRST = word(530, '5.7.0', 'issue STARTTLS first')

/**
 * After the handshake, a command that needs an EHLO. RFC 3207 4.2: the server discards what the client said before, such as
 * the argument of EHLO, and the upstream never sees the client's STARTTLS.
 */
export const EHLO_FIRST = word(503, '5.5.1', 'send EHLO again after STARTTLS')

/** The command would hand trust or roles to the client: XCLIENT, XFORWARD, TURN, ATRN, BURL. */
export const BLOCKED = word(502, '5.5.1', 'command not available through this proxy')

/** Bytes in the clear behind STARTTLS (RFC 3207 5; the class of CVE-2011-0411). */
export const STARTTLS_INJECTION = word(554, '5.5.0', 'data behind STARTTLS', 'none', true)

/** An HTTP request: nothing behind it may be taken for commands. */
export const HTTP = word(554, '5.5.0', 'this is a mail server', 'none', true)

/**
 * TLS from the first byte on an smtp:// listener. The TLS library of the application reports the same error as on
 * AhaSend's own port, where the greeting meets it: "wrong version number" (OpenSSL).
 */
export const TLS_ON_PLAIN_LISTENER = word(
  554,
  '5.5.0',
  'this port does not begin with TLS, use STARTTLS or no TLS',
  'none',
  true,
)

/** All of the above, for the README, the status page and the tests. */
export const OWN_WORDS = {
  UNREACHABLE,
  UNTRUSTED,
  REFUSED,
  REPLY_TOO_LONG,
  DRAINING,
  SESSION_LIMIT,
  EXHAUSTED,
  NOT_ALLOWED,
  IDLE,
  READY_FOR_TLS,
  STARTTLS_ARGUMENT,
  STARTTLS_REFUSED,
  STARTTLS_FIRST,
  EHLO_FIRST,
  BLOCKED,
  STARTTLS_INJECTION,
  HTTP,
  TLS_ON_PLAIN_LISTENER,
} satisfies Record<string, OwnWord>
