/** What a failed step means and what to do, for the log line. Pure. */
import { meanings } from '../../otel/names/meanings.ts'
import type { ProbeError } from '../../otel/names/names.ts'
import { causeOf } from '../../proxy/dialogue/reply-cause.ts'
import type { CommandName, ReplyCause } from '../../proxy/events/closed-sets.ts'
import { localReplyOf } from '../../proxy/session/local-replies.ts'
import { enhancedCodeOf } from '../../proxy/smtp/reply.ts'
import type { ProbeFailure } from './run.ts'

const EXPLANATIONS: Readonly<Record<ProbeError, string>> = {
  resolve_failed:
    'The name in PROBE_TARGET does not resolve. Check the name, and that the proxy is in the same network.',
  connect_refused: 'Nothing listens at PROBE_TARGET, or a firewall refuses the connection. Check that the proxy runs.',
  connect_timeout: 'PROBE_TARGET does not answer. Check the address, the firewall and that the machine runs.',
  connect_reset: 'The connection was reset while it was opened. Check PROBE_TARGET and the network.',
  timeout:
    'The step did not finish within PROBE_TIMEOUT. Check the log of the proxy for failed dials and slow replies.',
  closed: 'The proxy closed the connection. Check the log of the proxy, and PROXY_TRUST_PROXY_PROTOCOL.',
  reply_too_long: 'The reply is longer than 64 KiB. Check that PROBE_TARGET is the proxy.',
  starttls_not_offered: 'The proxy does not offer STARTTLS, and PROBE_TLS is required. Check PROXY_TLS_CERT_FILE.',
  starttls_injection:
    'Bytes followed the reply to STARTTLS. Find the device between the probe and the proxy that adds them.',
  tls_untrusted:
    'The certificate of the proxy is not trusted, has expired, or has another name. Renew it, or check PROBE_CA_FILE and ' +
    'PROBE_SERVER_NAME.',
  tls_failed: 'The TLS handshake with the proxy failed. smtp.dial.detail is the reason that Node gives.',
  auth_not_offered: 'Neither AUTH PLAIN nor AUTH LOGIN is offered. Check PROXY_UPSTREAM.',
}

const COMMANDS: Readonly<Partial<Record<ProbeFailure['step'], CommandName>>> = {
  greeting: 'CONNECT',
  ehlo: 'EHLO',
  starttls: 'STARTTLS',
  auth: 'AUTH',
  mail: 'MAIL',
  rcpt: 'RCPT',
  rset: 'RSET',
  quit: 'QUIT',
}

/** The fields of the log line about a failure. They hold neither the text of the reply nor addresses. */
export function fieldsOf({ step, error, answer, detail }: ProbeFailure): Readonly<Record<string, string | number>> {
  const fields = { 'smtp.probe.step': step, 'error.type': `${error}`, ...(detail && { 'smtp.dial.detail': detail }) }
  if (typeof error === 'string') return { ...fields, advice: EXPLANATIONS[error] }
  const text = answer?.text ?? ''
  const enhancedCode = enhancedCodeOf(error, text)
  const moment = { command: COMMANDS[step] ?? 'OTHER', quietMs: 0, text, enhancedCode }
  const cause = localReplyOf(`${error} ${text}`)?.cause ?? causeOf(error, moment)
  return {
    ...fields,
    'smtp.reply.code': error,
    ...(enhancedCode && { 'smtp.reply.enhanced_code': enhancedCode }),
    'smtp.reply.cause': cause,
    advice: adviceOn(error, cause),
  }
}

function adviceOn(code: number, cause: ReplyCause): string {
  if (code === 530)
    return 'AhaSend requires a login before MAIL. Set PROBE_LOGIN_FILE, or PROBE_USER and PROBE_PASSWORD.'
  const { meaning, action } = meanings[cause]
  return `${meaning}. ${action}`
}
