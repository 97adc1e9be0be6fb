/** Explains replies and failed dials of an upstream, with the page that helps. Pure. */
import { meanings } from '../../../otel/names/meanings.ts'
import { causeOf } from '../../../proxy/dialogue/reply-cause.ts'
import type { CommandName, DialError, ReplyCause } from '../../../proxy/events/closed-sets.ts'
import type { Dial } from '../../../proxy/events/dial.ts'
import { dialExplanations } from '../../../proxy/events/dial-explanations.ts'
import { enhancedCodeOf } from '../../../proxy/smtp/reply.ts'
import { HELP, runbook } from '../steps/help.ts'
import { failed, type Outcome } from '../steps/step.ts'

const NO_LOGIN = {
  text: 'the server requires a login before it accepts mail',
  next: 'Run the check with --login-file FILE, or with PROXY_CHECK_USER and PROXY_CHECK_PASSWORD.',
}

const PERSISTS = "Try again. If the failure persists, contact AhaSend's support."

/** Replies about which the reader of a check must do something else than the reader of an alert. */
const OF_THE_CHECK: { readonly [cause in ReplyCause]?: { readonly text: string; readonly next: string } } = {
  invalid_credentials: {
    text: 'Wrong user name or password, or not valid for the domain of the sender',
    next:
      "Compare the login that you gave to this check with the SMTP credentials in AhaSend's dashboard. New credentials " +
      'take up to two minutes to work everywhere.',
  },
}

/** The failure that a refusal of `command` is. `text` is that of the last line, after the code. */
export function refusal(command: CommandName, code: number, text: string): Outcome {
  if (code === 530) return failed(`${NO_LOGIN.text} (530)`, { next: NO_LOGIN.next, see: HELP.other })
  const cause = causeOf(code, { command, text, quietMs: 0, enhancedCode: enhancedCodeOf(code, text) })
  if (cause === 'none') return failed(undocumented(command, code, text), { next: PERSISTS, see: HELP.other })
  const { meaning, action, runbook: alert } = meanings[cause]
  const own = OF_THE_CHECK[cause]
  const see = alert ? runbook(alert) : HELP.other
  return failed(`${own?.text ?? meaning} (${code} to ${command})`, { next: own?.next ?? action, see })
}

function undocumented(command: CommandName, code: number, text: string): string {
  return `the server refused ${command} with ${code}, which AhaSend does not document${text ? `: ${text}` : ''}`
}

/** The failure that a missing reply is. */
export function noAnswer(what: string): Outcome {
  return failed(what, { next: PERSISTS, see: runbook('AhaSendUnreachable') })
}

const NEXT: Readonly<Record<DialError, string>> = {
  resolve_failed: 'See the step for DNS above.',
  connect_refused: 'See the ports below.',
  connect_timeout: 'See the ports below.',
  connect_reset: 'Try again. If the failure persists, a firewall on the network path closes the connection.',
  greeting_timeout: 'Set port 587, 2525 or 25: AhaSend has no implicit TLS (port 465).',
  greeting_refused: "Try again in a minute. If the failure persists, contact AhaSend's support.",
  starttls_not_offered:
    'Turn off SMTP inspection in the firewall: it may remove STARTTLS. For your own server on this machine, append ?tls=off.',
  starttls_refused: "Turn off SMTP inspection in the firewall. If there is none, contact AhaSend's support.",
  starttls_injection: 'Find the device between this machine and AhaSend that changes SMTP.',
  tls_untrusted: 'Check the certificate of the server.',
  tls_failed: 'Find out whether a firewall changes TLS. The server must support TLS 1.2 or newer.',
  local_resources_exhausted: 'Raise the limit that the message names.',
}

/** What is known about a failure beyond its reason. */
interface Cause {
  readonly text: string
  readonly next: string
}

const EXPIRED =
  "If the clock is right, the server's operator must renew the certificate (AhaSend: contact its support)."

/** Failures by OpenSSL's or the system's name of the error. */
const BY_DETAIL: ReadonlyMap<string, Cause> = new Map([
  [
    'CERT_HAS_EXPIRED',
    {
      text: 'the certificate of the server has expired, or the clock of this machine is ahead',
      next: `Compare the clock (date -u) with another one. ${EXPIRED}`,
    },
  ],
  [
    'CERT_NOT_YET_VALID',
    {
      text: 'the certificate of the server is not valid yet, or the clock of this machine is behind',
      next: `Compare the clock (date -u) with another one. ${EXPIRED}`,
    },
  ],
  [
    'ERR_TLS_CERT_ALTNAME_INVALID',
    {
      text: 'the certificate of the server is for another name',
      next: 'Correct the name in PROXY_UPSTREAM. If it is right, a firewall may replace certificates: exempt this server.',
    },
  ],
  ...['EHOSTUNREACH', 'ENETUNREACH', 'EADDRNOTAVAIL'].map(
    (code) =>
      [
        code,
        {
          text: 'this machine has no network path to the server',
          next: 'Test the path: ip route get ADDRESS. Without IPv6 on this machine, set a name or an IPv4 address.',
        },
      ] as const,
  ),
])

const UNTRUSTED: Cause = {
  text: 'the certificate of the server is not trusted: no authority that Node knows has signed it',
  next:
    'If a firewall inspects TLS, exempt this server. For a server with a private authority, set PROXY_UPSTREAM_CA_FILE to ' +
    "the authority's certificate.",
}

/** The failure that a failed dial is. */
export function dialFailure(dial: Dial): Outcome {
  if (dial.error === 'greeting_refused') return greetingFailure(dial)
  const { text, next } = causeOfFailure(dial)
  // of a failure in TLS, the reply 220 to STARTTLS says nothing
  const code = dial.error?.startsWith('tls_') ? undefined : dial.replyCode
  const details = [dial.error, code, dial.detail].filter((detail) => detail !== undefined).join(', ')
  return failed(`${text} (${details})`, { ...(next && { next }), see: helpFor(dial.error) })
}

function causeOfFailure({ error, detail, advice }: Dial): { readonly text: string; readonly next?: string } {
  const known = BY_DETAIL.get(detail ?? '') ?? (error === 'tls_untrusted' ? UNTRUSTED : undefined)
  if (known) return known
  const text = error ? dialExplanations[error] : 'unknown'
  return { text: advice === undefined ? text : `${text}: ${advice}`, ...(error && { next: NEXT[error] }) }
}

/** A greeting that refuses has a meaning of its own, such as a disabled account. */
function greetingFailure({ replyCode = 0 }: Dial): Outcome {
  const { text, ...help } = refusal('CONNECT', replyCode, '')
  return failed(text.replace(' to CONNECT)', ' instead of a greeting)'), help)
}

function helpFor(error: DialError | undefined): string {
  if (error === 'tls_untrusted' || error === 'tls_failed') return HELP.certificates
  return runbook(error === 'local_resources_exhausted' ? 'SmtpProxyOutOfResources' : 'AhaSendUnreachable')
}
