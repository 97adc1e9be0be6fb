/** What AhaSend's refusals mean (ahasend.com/docs/smtp, which differs from RFC 5321), and who must act. */
import type { ReplyCause } from '../../proxy/events/closed-sets.ts'

/** Who must act when something is refused: the name of a role, or of the app's team and what it must correct. */
export const actors = {
  account: 'Account owner',
  domain: 'Domain owner',
  password: 'App: password',
  developer: 'App: code',
  addresses: 'App: addresses',
  operator: 'Proxy operator',
  unclear: 'Unclear',
  retry: 'No one: retried',
  noOne: 'No one',
} as const

export type Actor = keyof typeof actors

export interface Meaning {
  readonly codes: string
  /** The meaning for a narrow column, in at most 39 characters. */
  readonly brief: string
  readonly meaning: string
  readonly actor: Actor
  readonly action: string
  /** The alert whose runbook helps; absent where no one has to act. */
  readonly runbook?: string
}

/** Every cause. `none` stands for refusals that AhaSend does not document. */
export const meanings: Readonly<Record<ReplyCause, Meaning>> = {
  account_disabled: {
    codes: '521',
    brief: 'Suspended, paused or out of credits',
    meaning:
      'The account is suspended, out of credits or paused (too many bounces, forbidden content, spam score, terms of ' +
      'service, manual review, parent account). AhaSend accepts no mail from it',
    actor: 'account',
    action:
      "Check AhaSend's dashboard, billing and the pause email now. Fix the cause, then reply to that email or contact " +
      "support. Only AhaSend's support or the parent account can lift a pause.",
    runbook: 'AhaSendAccountDisabled',
  },
  domain_not_configured: {
    codes: '556',
    brief: 'Account or sending domain not set up',
    meaning: 'The account or the sending domain is not set up',
    actor: 'domain',
    action:
      "Verify the domain in AhaSend's dashboard and check its DNS records. AhaSend can also pause a single " +
      'domain.',
    runbook: 'AhaSendDomainNotConfigured',
  },
  invalid_credentials: {
    codes: '535, 500',
    brief: 'Wrong user name or password',
    meaning:
      'Wrong user name or password, or not valid for this domain. AhaSend documents 535; its older documentation ' +
      'says 500',
    actor: 'password',
    action: 'Correct the password in the app. New credentials take up to two minutes to work everywhere.',
    runbook: 'AhaSendCredentialsRejected',
  },
  message_format: {
    codes: '552',
    brief: 'Invalid format: bare LF, or no From',
    meaning: 'The message format is invalid: bare line feeds, or no From header (5.6.0)',
    actor: 'developer',
    action: 'End lines with CRLF and include a From header. The trace shows the enhanced code.',
    runbook: 'AhaSendMessageFormatRejected',
  },
  message_too_big: {
    codes: '552',
    brief: 'Message larger than 20 MiB',
    meaning: 'The message is larger than 20 MiB (20,971,520 bytes), including headers and base64 (5.3.4)',
    actor: 'developer',
    action: 'Send a link instead of the attachment.',
    runbook: 'AhaSendMessageSizeLimit',
  },
  too_many_recipients: {
    codes: '452',
    brief: 'More than 50 recipients',
    meaning: 'More than 50 recipients in one message',
    actor: 'developer',
    action: 'Send each message to at most 50 recipients.',
    runbook: 'AhaSendRecipientLimit',
  },
  recipient_rejected: {
    codes: '553',
    brief: 'Toxic, temporary or misspelled domain',
    meaning: "The recipient's domain is toxic, temporary or a typo (Reputation Shield)",
    actor: 'addresses',
    action: 'Check addresses where users enter them. Do not send to this address again.',
    runbook: 'AhaSendRecipientsRejected',
  },
  connection_limit: {
    codes: '421, 452',
    brief: 'Too much mail on one connection',
    meaning: 'More than 10,000 messages or too many recipients on one connection',
    actor: 'developer',
    action: 'Open a new connection before this limit.',
    runbook: 'AhaSendConnectionLimit',
  },
  load_shedding: {
    codes: '421',
    brief: 'AhaSend is overloaded',
    meaning: 'AhaSend is overloaded and temporarily refuses new connections',
    actor: 'retry',
    action: "Apps retry with increasing delays. If it persists: check AhaSend's status page, contact its support.",
    runbook: 'AhaSendLoadShedding',
  },
  internal_error: {
    codes: '421, 451',
    brief: 'AhaSend has a temporary problem',
    meaning: 'AhaSend has a temporary problem',
    actor: 'retry',
    action: "Apps retry with increasing delays. If it persists: check AhaSend's status page, contact its support.",
    runbook: 'AhaSendInternalErrors',
  },
  unsubscribe_link: {
    codes: '451',
    brief: 'Unsubscribe link not created',
    meaning: 'AhaSend could not create the unsubscribe link of a marketing message',
    actor: 'retry',
    action: "Apps retry later. If it persists: check AhaSend's status page, contact its support.",
    runbook: 'AhaSendTemporaryErrors',
  },
  shutting_down: {
    codes: '421',
    brief: "One of AhaSend's servers stops",
    meaning: "One of AhaSend's servers is shutting down",
    actor: 'retry',
    action: 'Apps retry immediately.',
  },
  idle_timeout: {
    codes: '421',
    brief: 'Nothing sent for 60 s: normal for pools',
    meaning: 'The app sent nothing for 60 s on an open connection: normal for connection pools',
    actor: 'noOne',
    action: "None. If apps log errors, set their pool's idle timeout below 60 s.",
    runbook: 'AhaSendIdleDisconnects',
  },
  partially_queued: {
    codes: '250',
    brief: 'Queued for only some recipients',
    meaning: 'Queued for only some of the recipients',
    actor: 'developer',
    action: 'Compare the ids in the trace with the number of recipients.',
    runbook: 'AhaSendPartiallyQueued',
  },
  upstream_unreachable: {
    codes: '421 (proxy)',
    brief: 'No upstream reached over verified TLS',
    meaning: 'The proxy could not reach any upstream over verified TLS',
    actor: 'operator',
    action: 'Run the check command: it finds out why dials fail (network, DNS, firewall, certificate).',
    runbook: 'AhaSendUnreachable',
  },
  upstream_lost: {
    codes: '421 (proxy)',
    brief: 'Connection broke between messages',
    meaning: 'The connection to AhaSend broke between two messages',
    actor: 'retry',
    action: 'Apps retry immediately.',
  },
  session_limit: {
    codes: '421 (proxy)',
    brief: 'Session limit of the proxy reached',
    meaning: 'More sessions than PROXY_MAX_SESSIONS or PROXY_MAX_SESSIONS_PER_CLIENT allows',
    actor: 'operator',
    action: 'Find the app that opens too many sessions, or raise the limit.',
    runbook: 'SmtpProxyRefusingSessions',
  },
  local_resources_exhausted: {
    codes: '421 (proxy)',
    brief: 'No descriptor, port or memory left',
    meaning: "The proxy's machine has no file descriptor, local port or memory left for a connection",
    actor: 'operator',
    action: 'Raise the limit that the advice in the log line "dial failed" names.',
    runbook: 'SmtpProxyOutOfResources',
  },
  not_allowed: {
    codes: '421 (proxy)',
    brief: 'Client is not in PROXY_ALLOW',
    meaning: "The client's address is in none of the networks in PROXY_ALLOW",
    actor: 'operator',
    action: "Add the client's network to PROXY_ALLOW, or find out who connects.",
    runbook: 'SmtpProxyRefusingSessions',
  },
  draining: {
    codes: '421 (proxy)',
    brief: 'The proxy is shutting down',
    meaning: 'The proxy is shutting down',
    actor: 'noOne',
    action: 'None: apps connect to the next proxy.',
  },
  none: {
    codes: 'any other',
    brief: 'Not documented by AhaSend',
    meaning: 'Not documented by AhaSend; a 503 follows another refusal',
    actor: 'unclear',
    action: 'Look at the commands in the trace.',
  },
}

/** Where the runbooks are. Followed by the name of an alert and `.md`. */
export const RUNBOOKS = 'https://github.com/AhaSend/ahasend-smtp-proxy/blob/main/dashboards/runbooks/'
