/** What AhaSend means by its refusals, and who must act: documented at ahasend.com/docs/smtp, and not what RFC 5321 means. */
import type { AttributesOf } from '../../otel/names/names.ts'

export type Cause = AttributesOf<'replies'>['smtp.reply.cause']

/** Whose turn it is when something is refused. */
export const actors = {
  account: 'AhaSend account',
  domain: 'Domain, DNS',
  password: "App's password",
  developer: "App's developers",
  addresses: 'Address checks',
  operator: 'Proxy',
  unclear: 'Not clear',
  retry: 'Nobody: retried',
  nobody: 'Nobody',
} as const

export type Actor = keyof typeof actors

export interface Meaning {
  readonly codes: string
  readonly meaning: string
  readonly actor: Actor
  readonly action: string
}

/** Every cause there is. `none` stands for refusals that AhaSend does not document. */
export const meanings: Readonly<Record<Cause, Meaning>> = {
  account_disabled: {
    codes: '521',
    meaning:
      'The account is suspended, out of credits or paused (too many bounces, forbidden content, spam score, terms of ' +
      'service, manual review, parent account): AhaSend accepts no mail from it',
    actor: 'account',
    action:
      "Check AhaSend's dashboard, billing and the pause email now. Fix the cause, then reply to that email or contact " +
      "support. Only AhaSend's support or the parent account can lift a pause.",
  },
  domain_not_configured: {
    codes: '556',
    meaning: 'The account or the sending domain is not set up',
    actor: 'domain',
    action: "Verify the domain in AhaSend's dashboard, and its DNS records. AhaSend can also pause a single domain.",
  },
  invalid_credentials: {
    codes: '535, 500',
    meaning:
      'Wrong user name or password, or not valid for this domain. AhaSend documents 535; older versions said 500',
    actor: 'password',
    action: 'Correct the secret. New credentials take up to two minutes to work everywhere.',
  },
  message_format: {
    codes: '552',
    meaning: 'The message is not in a valid format: bare line feeds, or no From header (5.6.0)',
    actor: 'developer',
    action: 'End lines in CRLF and send a From header. The trace has the enhanced code.',
  },
  message_too_big: {
    codes: '552',
    meaning: 'The message is larger than 20 MiB (20,971,520 bytes), with headers and base64 (5.3.4)',
    actor: 'developer',
    action: 'Send a link instead of the attachment.',
  },
  too_many_recipients: {
    codes: '452',
    meaning: 'More than 50 recipients in one mail',
    actor: 'developer',
    action: 'Send to at most 50 at once.',
  },
  recipient_rejected: {
    codes: '553',
    meaning: "The recipient's domain is toxic, temporary or a typo (Reputation Shield)",
    actor: 'addresses',
    action: 'Check addresses where people type them in. Never send again.',
  },
  connection_limit: {
    codes: '421, 452',
    meaning: 'More than 10,000 mails or too many recipients on one connection',
    actor: 'developer',
    action: 'Open a new connection in time.',
  },
  load_shedding: {
    codes: '421',
    meaning: 'AhaSend has too much to do and takes no new connections',
    actor: 'retry',
    action: 'Apps try again later, and wait longer each time. If it lasts: status page, support.',
  },
  internal_error: {
    codes: '421, 451',
    meaning: 'AhaSend has trouble for the moment',
    actor: 'retry',
    action: 'Apps try again later, and wait longer each time. If it lasts: status page, support.',
  },
  unsubscribe_link: {
    codes: '451',
    meaning: 'AhaSend could not create the unsubscribe link of a marketing message',
    actor: 'retry',
    action: 'Apps retry later. If it lasts: status page, support.',
  },
  shutting_down: {
    codes: '421',
    meaning: "One of AhaSend's servers is being stopped",
    actor: 'retry',
    action: 'Apps try again at once.',
  },
  idle_timeout: {
    codes: '421',
    meaning: 'Nothing was sent for 60 s on an open connection: normal for pools',
    actor: 'nobody',
    action: "Nothing. If apps log errors, set their pool's idle time below 60 s.",
  },
  partially_queued: {
    codes: '250',
    meaning: 'Accepted, but only for some of the recipients',
    actor: 'developer',
    action: 'Compare the ids in the trace with the number of recipients.',
  },
  upstream_unreachable: {
    codes: '421 by the proxy',
    meaning: 'No upstream could be reached inside trusted TLS',
    actor: 'operator',
    action: 'See why dials fail: network, DNS, firewall, certificate.',
  },
  upstream_lost: {
    codes: '421 by the proxy',
    meaning: 'The connection to AhaSend broke between two mails',
    actor: 'retry',
    action: 'Apps try again at once.',
  },
  session_limit: {
    codes: '421 by the proxy',
    meaning: 'More sessions than PROXY_MAX_SESSIONS allows',
    actor: 'operator',
    action: 'Find who opens so many, or raise the limit.',
  },
  local_resources_exhausted: {
    codes: '421 by the proxy',
    meaning: "The proxy's machine has no file descriptor, port or memory left for a connection",
    actor: 'operator',
    action: 'Raise what the advice in the log line "dial failed" names.',
  },
  not_allowed: {
    codes: '421 by the proxy',
    meaning: 'The client is in none of the networks in PROXY_ALLOW',
    actor: 'operator',
    action: 'Add its network, or find out who it is.',
  },
  draining: {
    codes: '421 by the proxy',
    meaning: 'The proxy is being stopped',
    actor: 'nobody',
    action: 'Nothing: apps reach the next proxy.',
  },
  none: {
    codes: 'any other',
    meaning: 'Not documented by AhaSend; a 503 follows another refusal',
    actor: 'unclear',
    action: 'Look at the commands in the trace.',
  },
}

/** The causes that call for somebody. */
export function causesOf(actor: Actor): readonly Cause[] {
  return (Object.keys(meanings) as Cause[]).filter((cause) => meanings[cause].actor === actor)
}

/** All of it as a table in Markdown. */
export function codesAsMarkdown(): string {
  const rows = Object.entries(meanings).map(
    ([cause, { codes, meaning, actor, action }]) =>
      `| ${codes} | \`${cause}\` | ${meaning} | **${actors[actor]}** | ${action} |`,
  )
  return ['| Code | Cause | At AhaSend it means | Who must act | How |', '|---|---|---|---|---|', ...rows].join('\n')
}
