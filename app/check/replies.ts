/** Explains replies and failed dials of an upstream, with the runbook that helps. Pure. */
import { meanings, RUNBOOKS } from '../../otel/names/meanings.ts'
import { causeOf } from '../../proxy/dialogue/reply-cause.ts'
import type { CommandName, DialError } from '../../proxy/events/closed-sets.ts'
import type { Dial } from '../../proxy/events/dial.ts'
import { dialExplanations } from '../../proxy/events/dial-explanations.ts'
import { enhancedCodeOf } from '../../proxy/smtp/reply.ts'
import { failed, type Outcome } from './step.ts'

/** The URL of the runbook of an alert. */
export function runbook(alert: string): string {
  return `${RUNBOOKS}${alert}.md`
}

const NO_LOGIN = {
  text: 'the server requires a login before it accepts mail',
  next: 'Run the check with --login-file FILE, or with PROXY_CHECK_USER and PROXY_CHECK_PASSWORD.',
}

/** The failure that a refusal of `command` is. `text` is that of the last line, after the code. */
export function refusal(command: CommandName, code: number, text: string): Outcome {
  if (code === 530) return failed(`${NO_LOGIN.text} (530)`, { next: NO_LOGIN.next })
  const cause = causeOf(code, { command, text, quietMs: 0, enhancedCode: enhancedCodeOf(code, text) })
  if (cause === 'none') return failed(`the server refused ${command} with ${code}, which AhaSend does not document`)
  const { meaning, action, runbook: alert } = meanings[cause]
  return failed(`${meaning} (${code} to ${command})`, { next: action, ...(alert && { see: runbook(alert) }) })
}

const NEXT: Readonly<Record<DialError, string>> = {
  resolve_failed: 'Look at the step for DNS above. Compare with another machine: getent hosts NAME.',
  connect_refused: 'Look at the ports below. Set a port in PROXY_UPSTREAM that works.',
  connect_timeout: 'Look at the ports below. Set a port in PROXY_UPSTREAM that works, or open the firewall.',
  connect_reset: 'Try again. If it stays so, a firewall on the network path closes the connection.',
  greeting_timeout: 'Set port 587, 2525 or 25: AhaSend has no implicit TLS (port 465).',
  greeting_refused: 'Try again in a minute. If it stays so, contact the support of AhaSend.',
  starttls_not_offered:
    'Turn off SMTP inspection in the firewall: it may remove STARTTLS. For your own server on this machine, append ?tls=off.',
  starttls_refused: 'Turn off SMTP inspection in the firewall. If there is none, contact the support of AhaSend.',
  starttls_injection: 'Find the device between this machine and AhaSend that changes SMTP.',
  tls_untrusted: 'Check the name in PROXY_UPSTREAM, the clock below, and whether a firewall replaces certificates.',
  tls_failed: 'Find out whether a firewall changes TLS. The server must support TLS 1.2 or newer.',
  local_resources_exhausted: 'Raise the limit that the message names.',
}

/** The failure that a failed dial is. */
export function dialFailure(dial: Dial): Outcome {
  const details = [dial.error, dial.replyCode, dial.detail].filter((detail) => detail !== undefined).join(', ')
  const advice = dial.advice === undefined ? '' : `: ${dial.advice}`
  const text = `${dial.error ? dialExplanations[dial.error] : 'unknown'}${advice} (${details})`
  const atGreeting = dial.error === 'greeting_refused' ? refusal('CONNECT', dial.replyCode ?? 0, '') : undefined
  const next = atGreeting?.next ?? (dial.error && NEXT[dial.error])
  return failed(text, { ...(next && { next }), see: atGreeting?.see ?? runbook(alertOf(dial.error)) })
}

function alertOf(error: DialError | undefined): string {
  return error === 'local_resources_exhausted' ? 'SmtpProxyOutOfResources' : 'AhaSendUnreachable'
}
