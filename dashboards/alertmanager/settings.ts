/** Receivers of alerts, read from the environment. */

import { choice, mistake, type Reader, type Reading, wrong } from '../../settings/readers.ts'
import type { Documented, Environment } from '../../settings/tables.ts'

/** Who receives notifications. */
export interface Notifications {
  readonly webhookUrl?: string
  readonly slackUrl?: string
  readonly slackChannel?: string
  readonly pagerdutyKey?: string
  readonly email?: Email
  /** Called every minute while alerting works. */
  readonly heartbeatUrl?: string
  /** In Alertmanager's notation for durations. */
  readonly repeat: string
  /** Names of the receivers that are set, for people. */
  readonly receivers: readonly string[]
}

export interface Email {
  readonly to: string
  readonly from: string
  /** host:port */
  readonly smarthost: string
  /** False: unencrypted, for a mail server without STARTTLS. */
  readonly tls: boolean
  readonly user?: string
  readonly password?: string
}

interface Row extends Documented {
  readonly read: Reader<string>
}

const REPEAT = '4h'

/** The variables, for the reader below, `.env.example` and the README. */
export const ALERT_ROWS = [
  row('ALERT_WEBHOOK_URL', url, 'URL to which Alertmanager posts critical alerts and warnings, as JSON.'),
  row('ALERT_SLACK_URL', url, 'URL of a Slack incoming webhook. It receives critical alerts and warnings.'),
  row('ALERT_SLACK_CHANNEL', any, "Slack channel to use instead of the webhook's own, such as `#mail`."),
  row(
    'ALERT_PAGERDUTY_KEY',
    any,
    'PagerDuty integration key (Events API v2). PagerDuty receives critical alerts only.',
  ),
  row(
    'ALERT_EMAIL_TO',
    any,
    'Email addresses, comma-separated. They receive critical alerts and warnings. Requires `ALERT_EMAIL_FROM` and ' +
      '`ALERT_EMAIL_SMARTHOST`.',
  ),
  row('ALERT_EMAIL_FROM', any, 'Sender address of alert emails.'),
  row(
    'ALERT_EMAIL_SMARTHOST',
    hostAndPort,
    'Mail server for alert emails, as `host:port`. Use neither this proxy nor AhaSend: an alert that mail fails, such ' +
      'as 521 from AhaSend, would not arrive.',
  ),
  row(
    'ALERT_EMAIL_TLS',
    choice('required', 'off'),
    '`required`: STARTTLS, or TLS on port 465. `off`: unencrypted, for a relay on the same machine.',
    'required',
  ),
  row('ALERT_EMAIL_USER', any, 'User name at the mail server.'),
  row('ALERT_EMAIL_PASSWORD', any, 'Password at the mail server.'),
  row(
    'ALERT_REPEAT',
    duration,
    'How often Alertmanager repeats the notification of an alert that keeps firing.',
    REPEAT,
  ),
  row(
    'ALERT_HEARTBEAT_URL',
    url,
    'Alertmanager calls this URL every minute while Prometheus, its rules and Alertmanager work. Use a service that ' +
      "notifies you when the calls stop, such as healthchecks.io (period 1 minute, grace 5 minutes) or Dead Man's " +
      'Snitch. Without it, no one is notified when alerting itself fails.',
  ),
] as const satisfies readonly Row[]

function row(variable: `ALERT_${string}`, read: Reader<string>, meaning: string, byDefault = ''): Row {
  return { variable, default: byDefault, meaning, read }
}

function any(text: string): Reading<string> {
  return { value: text }
}

function url(text: string): Reading<string> {
  return /^https?:$/.test(URL.parse(text)?.protocol ?? '') ? { value: text } : wrong(text, 'an http or https URL')
}

function hostAndPort(text: string): Reading<string> {
  return /^[^\s:/@]+:\d{1,5}$/.test(text) ? { value: text } : wrong(text, 'host:port, such as mail.example.com:587')
}

/** In Alertmanager's notation: each unit once, from the largest down. Four digits of days are within its range. */
function duration(text: string): Reading<string> {
  const isDuration = /^(?!$)([1-9]\d{0,3}d)?([1-9]\d{0,3}h)?([1-9]\d{0,3}m)?([1-9]\d{0,3}s)?$/.test(text)
  return isDuration ? { value: text } : wrong(text, 'a duration such as 30m, 4h or 1d12h')
}

/** Reads the variables and returns all mistakes at once. An empty variable counts as unset. */
export function readNotifications(
  env: Environment,
): { readonly notifications: Notifications } | { readonly mistakes: string[] } {
  const values = new Map<string, string>()
  const mistakes: string[] = []
  for (const { variable, read, default: byDefault } of ALERT_ROWS) {
    const text = env[variable] || byDefault
    if (text === '') continue
    const reading = read(text)
    if ('value' in reading) values.set(variable, reading.value)
    else mistakes.push(...reading.faults.map((fault) => mistake(variable, fault)))
  }
  mistakes.push(...whatIsMissing(values))
  return mistakes.length > 0 ? { mistakes } : { notifications: notificationsOf(values) }
}

/** Variables that have no effect without others. */
const NEEDS: readonly (readonly [variable: string, needed: string])[] = [
  ['ALERT_SLACK_CHANNEL', 'ALERT_SLACK_URL'],
  ['ALERT_EMAIL_TO', 'ALERT_EMAIL_FROM'],
  ['ALERT_EMAIL_TO', 'ALERT_EMAIL_SMARTHOST'],
  ['ALERT_EMAIL_FROM', 'ALERT_EMAIL_TO'],
  ['ALERT_EMAIL_SMARTHOST', 'ALERT_EMAIL_TO'],
  ['ALERT_EMAIL_USER', 'ALERT_EMAIL_PASSWORD'],
  ['ALERT_EMAIL_PASSWORD', 'ALERT_EMAIL_USER'],
]

function whatIsMissing(values: ReadonlyMap<string, string>): string[] {
  const missing = NEEDS.filter(([variable, needed]) => values.has(variable) && !values.has(needed))
  return missing.map(([variable, needed]) => `${needed}: not set, but ${variable} requires it. Set both or neither.`)
}

function notificationsOf(values: ReadonlyMap<string, string>): Notifications {
  const of = (variable: (typeof ALERT_ROWS)[number]['variable']) => values.get(variable)
  const email = emailOf(of)
  const [webhookUrl, slackUrl, pagerdutyKey] = [
    of('ALERT_WEBHOOK_URL'),
    of('ALERT_SLACK_URL'),
    of('ALERT_PAGERDUTY_KEY'),
  ]
  const [slackChannel, heartbeatUrl] = [of('ALERT_SLACK_CHANNEL'), of('ALERT_HEARTBEAT_URL')]
  return {
    ...(webhookUrl && { webhookUrl }),
    ...(slackUrl && { slackUrl }),
    ...(slackChannel && { slackChannel }),
    ...(pagerdutyKey && { pagerdutyKey }),
    ...(email && { email }),
    ...(heartbeatUrl && { heartbeatUrl }),
    repeat: of('ALERT_REPEAT') ?? REPEAT,
    receivers: [webhookUrl && 'webhook', slackUrl && 'Slack', email && 'email', pagerdutyKey && 'PagerDuty'].flatMap(
      (receiver) => receiver || [],
    ),
  }
}

function emailOf(of: (variable: `ALERT_EMAIL_${string}` & string) => string | undefined): Email | undefined {
  const [to, from, smarthost] = [of('ALERT_EMAIL_TO'), of('ALERT_EMAIL_FROM'), of('ALERT_EMAIL_SMARTHOST')]
  const [user, password] = [of('ALERT_EMAIL_USER'), of('ALERT_EMAIL_PASSWORD')]
  if (!to || !from || !smarthost) return undefined
  const tls = of('ALERT_EMAIL_TLS') !== 'off'
  return { to, from, smarthost, tls, ...(user && password && { user, password }) }
}
