/** Alertmanager's configuration: which receiver gets which alert, and which alerts a more specific alert silences. */
import type { AlertName } from '../alerts/alert.ts'
import { NAMED_OUTAGES } from '../alerts/outages.ts'
import type { Notifications } from './settings.ts'
import { EMAIL, PAGERDUTY, SLACK } from './texts.ts'

/** The general alert waits for more specific ones. */
const CATCH_ALL = 'SmtpProxyErrorBudgetBurning' satisfies AlertName

/** One notification for all apps, upstreams and instances with the same problem. */
const GROUP = ['job', 'alertname']
/** For problems of single apps: a further alert in a group that was already notified is not a new incident. */
const GROUP_BY_APP = [...GROUP, 'smtp_client_name']
const CREDENTIALS = 'AhaSendCredentialsRejected' satisfies AlertName

const PROBE = 'SmtpProxyProbeFailing' satisfies AlertName

const WATCHDOG = 'SmtpProxyWatchdog' satisfies AlertName

/** Alertmanager's configuration as an object. Its JSON is valid YAML. */
export function alertmanagerConfig(to: Notifications) {
  const soon = { receiver: 'page', group_wait: '5s', group_interval: '1m' }
  return {
    route: {
      receiver: 'none',
      group_by: GROUP,
      group_wait: '30s',
      group_interval: '5m',
      repeat_interval: to.repeat,
      routes: [
        ...(to.heartbeatUrl ? [HEARTBEAT] : []),
        { matchers: ['severity="critical"', `alertname="${CATCH_ALL}"`], receiver: 'page', group_wait: '2m' },
        { matchers: ['severity="critical"', `alertname="${CREDENTIALS}"`], ...soon, group_by: GROUP_BY_APP },
        { matchers: ['severity="critical"'], ...soon },
        { matchers: ['severity="warning"'], receiver: 'notify' },
      ],
    },
    receivers: [
      // for info, none, and all other severities
      { name: 'none' },
      { name: 'page', ...receiver(to), ...(to.pagerdutyKey && pagerduty(to.pagerdutyKey)) },
      { name: 'notify', ...receiver(to) },
      ...(to.heartbeatUrl
        ? [{ name: HEARTBEAT.receiver, webhook_configs: [{ url: to.heartbeatUrl, send_resolved: false }] }]
        : []),
    ],
    inhibit_rules: [SAME_BUT_LESS, ...INHIBITIONS.map(inhibitRule)],
  }
}

/**
 * Matches the name, too, because another watchdog, such as the one of kube-prometheus, must not stand in for ours. Every
 * `group_interval`, Alertmanager checks whether the last call was `repeat_interval` ago. At that time, the call is never
 * quite one interval old: with equal values, Alertmanager would call only every second time.
 */
const HEARTBEAT = {
  matchers: ['severity="none"', `alertname="${WATCHDOG}"`],
  receiver: 'heartbeat',
  group_wait: '0s',
  group_interval: '1m',
  repeat_interval: '30s',
}

/** The receivers of critical alerts and warnings. */
function receiver({ webhookUrl, slackUrl, slackChannel, email }: Notifications) {
  return {
    ...(webhookUrl && { webhook_configs: [{ url: webhookUrl, send_resolved: true }] }),
    ...(slackUrl && {
      slack_configs: [{ api_url: slackUrl, ...(slackChannel && { channel: slackChannel }), ...SLACK }],
    }),
    ...(email && {
      email_configs: [
        {
          to: email.to,
          from: email.from,
          smarthost: email.smarthost,
          ...(email.user && { auth_username: email.user, auth_password: email.password }),
          require_tls: email.tls,
          ...EMAIL,
        },
      ],
    }),
  }
}

function pagerduty(key: string) {
  return { pagerduty_configs: [{ routing_key: key, ...PAGERDUTY }] }
}

/** While a source fires, its targets are silent if these labels are equal on both, or absent from both. */
interface Inhibition {
  readonly sources: readonly AlertName[]
  readonly critical?: true
  readonly targets: readonly AlertName[] | 'all others'
  /** A further condition on targets. */
  readonly only?: string
  readonly equal: readonly string[]
  /** For people, with the reason. */
  readonly words: string
}

/** The same Alertmanager may route other alerts, which we must not silence. */
const OURS = 'alertname=~"(AhaSend|SmtpProxy).+"'

/** A critical alert silences the warning of the same name. Alerts of one name differ only in these labels. */
const SAME_BUT_LESS = {
  source_matchers: ['severity="critical"', OURS],
  target_matchers: ['severity="warning"', OURS],
  equal: [
    'alertname',
    'job',
    'instance',
    'server_address',
    'smtp_client_name',
    'smtp_listener',
    'smtp_reply_cause',
    'smtp_session_close_reason',
  ],
}

const APP = ['job', 'server_address', 'smtp_client_name']

const INHIBITIONS: readonly Inhibition[] = [
  {
    sources: ['SmtpProxyDown', 'SmtpProxyAbsent'],
    critical: true,
    targets: 'all others',
    only: 'severity!="none"',
    equal: ['job'],
    words:
      'While no proxy answers (SmtpProxyDown or SmtpProxyAbsent is critical), all other alerts are silent, except the ' +
      'watchdog: their data is old.',
  },
  {
    sources: ['AhaSendAccountDisabled'],
    targets: ['AhaSendDomainNotConfigured', 'AhaSendRecipientsRejected'],
    equal: APP,
    words:
      'While AhaSendAccountDisabled fires for an app, AhaSendDomainNotConfigured and AhaSendRecipientsRejected are silent ' +
      'for it: they are symptoms. AhaSendCredentialsRejected is not, because apps may share a name.',
  },
  {
    sources: ['AhaSendAccountDisabled', 'AhaSendLoadShedding'],
    targets: ['AhaSendUnreachable'],
    only: 'error_type="greeting_refused"',
    equal: ['job', 'server_address'],
    words:
      'While AhaSendAccountDisabled or AhaSendLoadShedding fires for an upstream, AhaSendUnreachable is silent for ' +
      'connections that this upstream refused: a greeting with 521 or 421 is a failed dial, too.',
  },
  // the critical alert has an instance, the warning an upstream: only the job is on both
  {
    sources: ['AhaSendUnreachable'],
    critical: true,
    targets: ['AhaSendUnreachable'],
    only: 'severity="warning"',
    equal: ['job'],
    words: 'While AhaSendUnreachable is critical for any instance of a job, its warnings about upstreams are silent.',
  },
  // the probe fails for the reason that these name. A failure of the probe itself, or its absence, is another problem
  {
    sources: NAMED_OUTAGES,
    critical: true,
    targets: [PROBE],
    only: 'severity="critical"',
    equal: ['job'],
    words:
      `While one of ${NAMED_OUTAGES.join(', ')} is critical, a critical SmtpProxyProbeFailing is silent: the probe fails for ` +
      'the same reason.',
  },
  {
    sources: ['AhaSendAccountDisabled'],
    targets: [PROBE],
    only: 'error_type="521"',
    equal: ['job'],
    words: 'While AhaSendAccountDisabled fires, SmtpProxyProbeFailing is silent if AhaSend refused the probe with 521.',
  },
  {
    sources: NAMED_OUTAGES,
    critical: true,
    targets: [CATCH_ALL],
    equal: ['job'],
    words:
      `While one of ${NAMED_OUTAGES.join(', ')} is critical, SmtpProxyErrorBudgetBurning is silent: it counts the same ` +
      'failures. It stays silent for half an hour after them.',
  },
]

/** What silences what, and why: one or two sentences each. */
export function inhibitionsInWords(): readonly string[] {
  return [
    'A critical alert silences the warning of the same name and labels.',
    ...INHIBITIONS.map(({ words }) => words),
  ]
}

function inhibitRule({ sources, critical, targets, only, equal }: Inhibition) {
  const named = sources.join('|')
  return {
    source_matchers: [`alertname=~"${named}"`, ...(critical ? ['severity="critical"'] : [])],
    target_matchers: [
      targets === 'all others' ? `alertname!~"${named}"` : `alertname=~"${targets.join('|')}"`,
      ...(only ? [only] : []),
    ],
    equal,
  }
}
