import { hasArgument, hasControls, isHttp, type Verb, verbOf } from '../smtp/command.ts'
import type { ClientSecurity } from '../smtp/ehlo.ts'
import type { OwnWord } from './local-replies.ts'
import * as words from './local-replies.ts'

/** The few client commands that the proxy answers by itself, and when. Everything else goes to the upstream. */

/** What decides beside the line itself. */
export interface ScreenState {
  readonly security: ClientSecurity
  /** True when the upstream refused the connection: it is not inside TLS, and only QUIT may go there. */
  readonly refused: boolean
  /** True once a command was relayed in the clear that an upstream would not forget at STARTTLS. */
  readonly tainted: boolean
  /** True from the end of the client's handshake until an EHLO or HELO was accepted (RFC 3207 4.2). */
  readonly ehloOwed: boolean
  /** True when the proxy is stopping and no mail is under way. */
  readonly mayDrain: boolean
  /** True when the proxy is stopping and replies are owed: after them no mail may be under way. */
  readonly mayDrainLater: boolean
}

/**
 * A local reply, or `upgrade`: answer 220 and begin TLS. Undefined: the line is relayed. While replies are owed, it is the
 * reply that the line may get: screen it again after them.
 */
export type Screened = { readonly verb: Verb; readonly answer: OwnWord | 'upgrade' } | undefined

/**
 * Relayed in the clear, these leave nothing behind at the upstream that would survive into TLS (RFC 3207 4.2; the class
 * of attack is session fixation, nostarttls.secvuln.info). The same commands are legal before EHLO (RFC 5321 4.1.4).
 */
export const FORGOTTEN: ReadonlySet<Verb> = new Set<Verb>(['EHLO', 'HELO', 'NOOP', 'RSET', 'HELP', 'VRFY', 'QUIT'])

/** They would hand trust or roles to the client. */
export const BLOCKED: ReadonlySet<Verb> = new Set<Verb>(['XCLIENT', 'XFORWARD', 'TURN', 'ATRN', 'BURL'])

/** True when relaying `line` in the clear makes a later STARTTLS impossible, also if a server reads two lines in it. */
export function taints(line: Buffer): boolean {
  return !FORGOTTEN.has(verbOf(line)) || hasControls(line)
}

/** Looks at one command line (or the head of a long one) before it is relayed. */
export function screen(line: Buffer, state: ScreenState): Screened {
  const verb = verbOf(line)
  const answer = answerTo(verb, line, state)
  return answer && { verb, answer }
}

function answerTo(verb: Verb, line: Buffer, state: ScreenState): OwnWord | 'upgrade' | undefined {
  if (state.refused) return verb === 'QUIT' && !hasArgument(line) ? undefined : words.REFUSED
  // before everything else: a client that sends only such commands must be drained, too
  if (state.mayDrain && verb !== 'QUIT') return words.DRAINING
  if (verb === 'STARTTLS') return answerToStarttls(line, state)
  if (BLOCKED.has(verb)) return words.BLOCKED
  if (verb === 'UNKNOWN' && isHttp(line)) return words.HTTP
  if (state.security === 'starttls-required' && !FORGOTTEN.has(verb)) return words.STARTTLS_FIRST
  if (state.mayDrainLater && verb === 'MAIL') return words.DRAINING
  return state.ehloOwed && !FORGOTTEN.has(verb) ? words.EHLO_FIRST : undefined
}

function answerToStarttls(line: Buffer, state: ScreenState): OwnWord | 'upgrade' | undefined {
  if (state.security === 'tls') return words.STARTTLS_REFUSED
  if (state.security === 'plain') return undefined
  if (hasArgument(line)) return words.STARTTLS_ARGUMENT
  if (state.tainted) return words.STARTTLS_REFUSED
  return 'upgrade'
}
