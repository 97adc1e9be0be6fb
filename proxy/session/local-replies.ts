/**
 * LOCAL REPLIES: every reply that the proxy itself sends to a client. Each refusal that could delay mail is a 4yz and
 * is sent before or between messages. None answers the end of a message: there only the upstream may reply.
 */
import type { ReplyCause } from '../events/closed-sets.ts'
import type { Dial } from '../events/dial.ts'
import type { ReplyFacts } from '../events/reply.ts'

const NAME = 'ahasend-smtp-proxy'

/** A reply that the proxy itself sends. */
export interface LocalReply {
  readonly code: number
  readonly enhancedCode: string
  readonly cause: ReplyCause
  readonly bytes: Buffer
  /** True if the session ends with it. */
  readonly closes: boolean
}

/** A local reply as telemetry reports it. */
export function factsOf({ code, enhancedCode, cause }: LocalReply): ReplyFacts {
  return { code, enhancedCode, cause, origin: 'proxy' }
}

const byLine = new Map<string, LocalReply>()

/** The local reply that this line is, without its CRLF. A client tells the proxy's own replies from AhaSend's by it. */
export function localReplyOf(line: string): LocalReply | undefined {
  return byLine.get(line)
}

function reply(
  code: number,
  enhancedCode: string,
  text: string,
  cause: ReplyCause = 'none',
  closes = false,
): LocalReply {
  const line = `${code} ${enhancedCode} ${NAME}: ${text}`
  const local = { code, enhancedCode, cause, closes, bytes: Buffer.from(`${line}\r\n`) }
  byLine.set(line, local)
  return local
}

function farewell(enhancedCode: string, text: string, cause: ReplyCause): LocalReply {
  return reply(421, enhancedCode, text, cause, true)
}

/** No upstream could be reached. */
export const UNREACHABLE = farewell(
  '4.4.1',
  'the mail service cannot be reached, try again later',
  'upstream_unreachable',
)

/** An upstream was reached, but not over trusted TLS. */
export const UNTRUSTED = farewell(
  '4.7.0',
  'no trusted TLS to the mail service, try again later',
  'upstream_unreachable',
)

/** The reply to a client whose dial failed. */
export function toFailedDial({ error }: Dial): LocalReply {
  if (error === 'local_resources_exhausted') return EXHAUSTED
  const tls = error?.startsWith('starttls') || error?.startsWith('tls')
  return tls ? UNTRUSTED : UNREACHABLE
}

/** The upstream's greeting was a refusal, and the client wants more than QUIT. */
export const REFUSED = farewell('4.4.1', 'the mail service refused this connection', 'upstream_unreachable')

/** The upstream began a reply that is longer than any reply may be. */
export const REPLY_TOO_LONG = farewell('4.4.2', 'the mail service sent an endless reply', 'upstream_lost')

/** The proxy is about to stop. */
export const DRAINING = farewell('4.3.2', 'restarting, try again at once', 'draining')

/** `PROXY_MAX_SESSIONS` or `PROXY_MAX_SESSIONS_PER_CLIENT` is reached. */
export const SESSION_LIMIT = farewell('4.3.2', 'too many connections, try again later', 'session_limit')

/** This machine has no descriptor, port or memory left for an upstream connection. */
export const EXHAUSTED = farewell('4.3.2', 'out of resources, try again later', 'local_resources_exhausted')

/** The client's address is not in `PROXY_ALLOW`. */
export const NOT_ALLOWED = farewell('4.7.0', 'your address may not use this proxy', 'not_allowed')

/** Nothing moved for `PROXY_IDLE_TIMEOUT`. */
export const IDLE = farewell('4.4.2', 'idle too long', 'idle_timeout')

/** RFC 3207 4: the handshake may begin. */
export const READY_FOR_TLS = reply(220, '2.0.0', 'ready to start TLS')

/** RFC 3207 4: STARTTLS takes no parameters. */
export const STARTTLS_ARGUMENT = reply(501, '5.5.4', 'STARTTLS takes no argument')

/**
 * STARTTLS inside TLS, or after a command that the upstream would not forget. The upstream never sees the reset that RFC
 * 3207 4.2 demands, so what an attacker sent unencrypted would survive into the protected session.
 */
export const STARTTLS_REFUSED = reply(503, '5.5.1', 'STARTTLS is not possible here')

/** The listener requires TLS. */
export const STARTTLS_FIRST = reply(530, '5.7.0', 'issue STARTTLS first')

/**
 * A command that needs an EHLO, after the handshake. RFC 3207 4.2: the server discards what it learned from the client
 * before, such as the argument of EHLO. The upstream never sees the client's STARTTLS.
 */
export const EHLO_FIRST = reply(503, '5.5.1', 'send EHLO again after STARTTLS')

/** The command would give trust or roles to the client: `BLOCKED_COMMANDS`. */
export const BLOCKED = reply(502, '5.5.1', 'command not available through this proxy')

/** Unencrypted bytes after STARTTLS (RFC 3207 5; the class of CVE-2011-0411). */
export const STARTTLS_INJECTION = reply(554, '5.5.0', 'data behind STARTTLS', 'none', true)

/** An HTTP request: nothing after it may be taken for commands. */
export const HTTP = reply(554, '5.5.0', 'this is a mail server', 'none', true)

/**
 * TLS from the first byte on an smtp:// listener. The app's TLS library reports the same error as on AhaSend's own ports,
 * which send their greeting: "wrong version number" (OpenSSL).
 */
export const TLS_ON_PLAIN_LISTENER = reply(
  554,
  '5.5.0',
  'this port does not begin with TLS, use STARTTLS or no TLS',
  'none',
  true,
)
