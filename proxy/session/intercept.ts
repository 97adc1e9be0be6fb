/**
 * INTERCEPT: the few client commands that the proxy answers itself, and when. Everything else goes to the upstream.
 */
import { hasArgument, hasControls, isHttp, type Verb, verbOf } from '../smtp/command.ts'
import type { ClientSecurity } from '../smtp/ehlo.ts'
import type { LocalReply } from './local-replies.ts'
import * as localReplies from './local-replies.ts'

/** What decides besides the line itself. */
export interface InterceptState {
  readonly security: ClientSecurity
  /** True if the upstream refused the connection: it is not inside TLS, and only QUIT may go there. */
  readonly upstreamRefused: boolean
  /** True once an unencrypted command was relayed that an upstream would not forget at STARTTLS. */
  readonly tainted: boolean
  /** True from the end of the client's handshake until an EHLO or HELO was accepted (RFC 3207 4.2). */
  readonly ehloOwed: boolean
  /** True if the proxy is stopping and no message is in flight. */
  readonly mayDrain: boolean
  /** True if the proxy is stopping and replies are owed: after them no message may be in flight. */
  readonly mayDrainLater: boolean
}

/**
 * A local reply, or `upgrade`: answer 220 and begin TLS. Undefined: the line is relayed. While replies are owed, it is the
 * reply that the line may get: call `intercept` again after them.
 */
export type Intercepted = { readonly verb: Verb; readonly answer: LocalReply | 'upgrade' } | undefined

/**
 * Relayed unencrypted, these commands leave nothing at the upstream that would survive into TLS (RFC 3207 4.2; the class
 * of attack is session fixation, nostarttls.secvuln.info). The same commands are legal before EHLO (RFC 5321 4.1.4).
 */
export const HARMLESS_COMMANDS: ReadonlySet<Verb> = new Set<Verb>([
  'EHLO',
  'HELO',
  'NOOP',
  'RSET',
  'HELP',
  'VRFY',
  'QUIT',
])

/** These commands would give trust or roles to the client. */
export const BLOCKED_COMMANDS: ReadonlySet<Verb> = new Set<Verb>(['XCLIENT', 'XFORWARD', 'TURN', 'ATRN', 'BURL'])

/** True if relaying `line` unencrypted makes a later STARTTLS impossible, also if a server reads two lines in it. */
export function taints(line: Buffer): boolean {
  return !HARMLESS_COMMANDS.has(verbOf(line)) || hasControls(line)
}

/** Looks at one command line (or the head of a long one) before it is relayed. */
export function intercept(line: Buffer, state: InterceptState): Intercepted {
  const verb = verbOf(line)
  const answer = answerTo(verb, line, state)
  return answer && { verb, answer }
}

function answerTo(verb: Verb, line: Buffer, state: InterceptState): LocalReply | 'upgrade' | undefined {
  if (state.upstreamRefused) return verb === 'QUIT' && !hasArgument(line) ? undefined : localReplies.REFUSED
  // before everything else: a client that sends only such commands must be drained, too
  if (state.mayDrain && verb !== 'QUIT') return localReplies.DRAINING
  if (verb === 'STARTTLS') return answerToStarttls(line, state)
  if (BLOCKED_COMMANDS.has(verb)) return localReplies.BLOCKED
  if (verb === 'UNKNOWN' && isHttp(line)) return localReplies.HTTP
  if (state.security === 'starttls-required' && !HARMLESS_COMMANDS.has(verb)) return localReplies.STARTTLS_FIRST
  if (state.mayDrainLater && verb === 'MAIL') return localReplies.DRAINING
  return state.ehloOwed && !HARMLESS_COMMANDS.has(verb) ? localReplies.EHLO_FIRST : undefined
}

function answerToStarttls(line: Buffer, state: InterceptState): LocalReply | 'upgrade' | undefined {
  if (state.security === 'tls') return localReplies.STARTTLS_REFUSED
  if (state.security === 'plain') return undefined
  if (hasArgument(line)) return localReplies.STARTTLS_ARGUMENT
  if (state.tainted) return localReplies.STARTTLS_REFUSED
  return 'upgrade'
}
