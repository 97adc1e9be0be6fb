/** Receivers of alerts, read from the environment. */
import type { Section } from '../../settings/documentation.ts'
import { type Environment, isSet } from '../../settings/environment.ts'
import { missing, withoutKeys } from '../../settings/mistakes.ts'
import { anyText, choice, optional, type Reader, wrong } from '../../settings/readers.ts'
import { defined, parse, type Setting, type Table, type Values } from '../../settings/table.ts'

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

/** An http or https URL. Long parts of its path may be keys, which messages do not quote. */
const url: Reader<string> = (text) =>
  /^https?:$/.test(URL.parse(text)?.protocol ?? '') ? { value: text } : wrong(withoutKeys(text), 'an http or https URL')

const hostAndPort: Reader<string> = (text) =>
  /^[^\s:/@]+:\d{1,5}$/.test(text) ? { value: text } : wrong(text, 'host:port, such as mail.example.com:587')

/** In Alertmanager's notation: each unit once, from the largest down. Four digits of days are within its range. */
const repeat: Reader<string> = (text) => {
  const isDuration = /^(?!$)([1-9]\d{0,3}d)?([1-9]\d{0,3}h)?([1-9]\d{0,3}m)?([1-9]\d{0,3}s)?$/.test(text)
  return isDuration ? { value: text } : wrong(text, 'a duration such as 30m, 4h or 1d12h')
}

/** The table of settings for alerts. */
const SETTINGS = {
  webhookUrl: {
    variable: 'ALERT_WEBHOOK_URL',
    default: '',
    meaning: 'URL to which Alertmanager posts critical alerts and warnings, as JSON.',
    read: optional(url),
  },
  slackUrl: {
    variable: 'ALERT_SLACK_URL',
    default: '',
    meaning: 'URL of a Slack incoming webhook. It receives critical alerts and warnings.',
    read: optional(url),
  },
  slackChannel: {
    variable: 'ALERT_SLACK_CHANNEL',
    default: '',
    meaning: "Slack channel to use instead of the webhook's own, such as `#mail`.",
    read: optional(anyText),
  },
  pagerdutyKey: {
    variable: 'ALERT_PAGERDUTY_KEY',
    default: '',
    meaning: 'PagerDuty integration key (Events API v2). PagerDuty receives critical alerts only.',
    read: optional(anyText),
    secret: true,
  },
  emailTo: {
    variable: 'ALERT_EMAIL_TO',
    default: '',
    meaning:
      'Email addresses, comma-separated. They receive critical alerts and warnings. Requires `ALERT_EMAIL_FROM` and ' +
      '`ALERT_EMAIL_SMARTHOST`.',
    read: optional(anyText),
  },
  emailFrom: {
    variable: 'ALERT_EMAIL_FROM',
    default: '',
    meaning: 'Sender address of alert emails.',
    read: optional(anyText),
  },
  emailSmarthost: {
    variable: 'ALERT_EMAIL_SMARTHOST',
    default: '',
    meaning:
      'Mail server for alert emails, as `host:port`. Use neither this proxy nor AhaSend: an alert about ' +
      'failing mail, such as a 521 from AhaSend, would not arrive.',
    read: optional(hostAndPort),
  },
  emailTls: {
    variable: 'ALERT_EMAIL_TLS',
    default: 'required',
    meaning: '`required`: STARTTLS, or TLS on port 465. `off`: unencrypted, for a relay on the same machine.',
    read: choice('required', 'off'),
  },
  emailUser: {
    variable: 'ALERT_EMAIL_USER',
    default: '',
    meaning: 'User name for the mail server.',
    read: optional(anyText),
  },
  emailPassword: {
    variable: 'ALERT_EMAIL_PASSWORD',
    default: '',
    meaning: 'Password for the mail server.',
    read: optional(anyText),
    secret: true,
  },
  repeat: {
    variable: 'ALERT_REPEAT',
    default: '4h',
    meaning: 'How often Alertmanager repeats the notification of an alert that keeps firing.',
    read: repeat,
  },
  heartbeatUrl: {
    variable: 'ALERT_HEARTBEAT_URL',
    default: '',
    meaning:
      'Alertmanager calls this URL every minute while Prometheus, its rules and Alertmanager work. Use a service that ' +
      "notifies you when the calls stop, such as healthchecks.io (period 1 minute, grace 5 minutes) or Dead Man's " +
      'Snitch. Without it, no one is notified when alerting itself fails.',
    read: optional(url),
  },
} satisfies Table

/** The rows in the order in which people read them. */
export const ALERT_ROWS: readonly Setting<unknown>[] = Object.values(SETTINGS)

/** The rows as one group. */
export const ALERT_SECTION: Section = {
  title: 'Receivers of alerts',
  about: 'Until you set a receiver, no one is notified.',
  rows: ALERT_ROWS,
}

/** Who is notified, or everything that is wrong with the variables. */
export type ParsedNotifications = { readonly notifications: Notifications } | { readonly mistakes: readonly string[] }

/** Reads the variables, as `parse` does. */
export function readNotifications(env: Environment): ParsedNotifications {
  const parsed = parse(SETTINGS, env, { check: () => whatIsMissing(env) })
  return 'mistakes' in parsed ? parsed : { notifications: notificationsOf(parsed.values) }
}

/** Variables that have no effect without others. */
const NEEDS: readonly (readonly [key: keyof typeof SETTINGS, needed: keyof typeof SETTINGS])[] = [
  ['slackChannel', 'slackUrl'],
  ['emailTo', 'emailFrom'],
  ['emailTo', 'emailSmarthost'],
  ['emailFrom', 'emailTo'],
  ['emailSmarthost', 'emailTo'],
  ['emailUser', 'emailPassword'],
  ['emailPassword', 'emailUser'],
]

function whatIsMissing(env: Environment): string[] {
  return NEEDS.map(([key, needed]) => [SETTINGS[key].variable, SETTINGS[needed].variable] as const)
    .filter(([variable, needed]) => isSet(variable, env) && !isSet(needed, env))
    .map(([variable, needed]) => missing(needed, variable, 'a value'))
}

function notificationsOf(values: Values<typeof SETTINGS>): Notifications {
  const { webhookUrl, slackUrl, slackChannel, pagerdutyKey, heartbeatUrl, repeat } = values
  const email = emailOf(values)
  const receivers = [webhookUrl && 'webhook', slackUrl && 'Slack', email && 'email', pagerdutyKey && 'PagerDuty']
  return {
    ...defined({ webhookUrl, slackUrl, slackChannel, pagerdutyKey, email, heartbeatUrl }),
    repeat,
    receivers: receivers.filter((receiver) => receiver !== undefined),
  }
}

function emailOf(values: Values<typeof SETTINGS>): Email | undefined {
  const { emailTo: to, emailFrom: from, emailSmarthost: smarthost, emailUser: user, emailPassword: password } = values
  if (!to || !from || !smarthost) return undefined
  return { to, from, smarthost, tls: values.emailTls === 'required', ...defined({ user, password }) }
}
