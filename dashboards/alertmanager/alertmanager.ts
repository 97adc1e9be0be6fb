/**
 * Alertmanager's configuration: who is told of which alert, and which alerts are silent because another says more.
 * Alertmanager reads no environment variables, so this makes its file of them:
 *
 *     node dashboards/alertmanager/alertmanager.ts FILE
 *
 * writes FILE, which only its owner may read, and exits 0; or reports what is wrong with the variables and exits 2; or
 * why the file cannot be written, and exits 1. It needs only Node.
 */
import { unknownNames } from '../../settings/names.ts'
import type { Environment } from '../../settings/tables.ts'
import type { AlertName } from '../alerts/alert.ts'
import { NAMED_OUTAGES } from '../alerts/outages.ts'
import { writeSecretFile } from './secret-file.ts'
import { ALERT_ROWS, type Notifications, readNotifications } from './settings.ts'
import { STACK_VARIABLES } from './stack-variables.ts'
import { EMAIL, PAGERDUTY, SLACK } from './texts.ts'

/** Alerts about nothing in particular wait for those that say more. */
const CATCH_ALL = 'SmtpProxyErrorBudgetBurning' satisfies AlertName

/** One message for all applications, upstreams and instances that have the same trouble. */
const GROUP = ['job', 'alertname']
/** Where each application has a trouble of its own: what is told of a group that was told of is no new incident. */
const GROUP_BY_APP = [...GROUP, 'smtp_client_name']
const CREDENTIALS = 'AhaSendCredentialsRejected' satisfies AlertName

const WATCHDOG = 'SmtpProxyWatchdog' satisfies AlertName

/** Alertmanager's configuration as an object; JSON of it is YAML. */
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
      // info, none, and whatever else has no severity of ours
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
 * By its name too: another's watchdog, such as that of kube-prometheus, must not speak for ours. Alertmanager looks each
 * `group_interval` whether the last call was `repeat_interval` ago, and a call is never quite one interval old when it
 * looks: with the same for both it would call each second time only.
 */
const HEARTBEAT = {
  matchers: ['severity="none"', `alertname="${WATCHDOG}"`],
  receiver: 'heartbeat',
  group_wait: '0s',
  group_interval: '1m',
  repeat_interval: '30s',
}

/** Where critical alerts and warnings go. */
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

/** While a source fires, its targets are silent where these labels are the same on both, or absent from both. */
interface Inhibition {
  readonly sources: readonly AlertName[]
  readonly critical?: true
  readonly targets: readonly AlertName[] | 'all others'
  /** A condition more on targets. */
  readonly only?: string
  readonly equal: readonly string[]
}

/** Other people's alerts may come the same way; they are none of ours to silence. */
const OURS = 'alertname=~"(AhaSend|SmtpProxy).+"'

/** What is critical need not be told as a warning too. The labels are all that tell alerts of one name apart. */
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
  // without a proxy that answers, everything else is its history
  {
    sources: ['SmtpProxyDown', 'SmtpProxyAbsent'],
    critical: true,
    targets: 'all others',
    only: 'severity!="none"',
    equal: ['job'],
  },
  // what an application sees of a disabled account; not refused logins, because apps may share a client name
  {
    sources: ['AhaSendAccountDisabled'],
    targets: ['AhaSendDomainNotConfigured', 'AhaSendRecipientsRejected'],
    equal: APP,
  },
  // a greeting of 521 or of load shedding is a failed dial too
  {
    sources: ['AhaSendAccountDisabled', 'AhaSendLoadShedding'],
    targets: ['AhaSendUnreachable'],
    only: 'error_type="greeting_refused"',
    equal: ['job', 'server_address'],
  },
  // critical has an instance, the warning an upstream: no label but the job is on both
  {
    sources: ['AhaSendUnreachable'],
    critical: true,
    targets: ['AhaSendUnreachable'],
    only: 'severity="warning"',
    equal: ['job'],
  },
  // the sum of what these say
  {
    sources: NAMED_OUTAGES,
    critical: true,
    targets: [CATCH_ALL],
    equal: ['job'],
  },
]

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

/** Writes the file; returns the exit code: 0, 1 when the file cannot be written, 2 on mistakes in the variables. */
function main(file: string | undefined, env: Environment): 0 | 1 | 2 {
  const read = readNotifications(env)
  const { misspelled, foreign } = unknownNames(env, ALERT_NAMES)
  const mistakes = [
    ...('mistakes' in read ? read.mistakes : []),
    ...misspelled,
    ...unknownNames(env, STACK_VARIABLES).misspelled,
    ...(file === undefined ? ['usage: node dashboards/alertmanager/alertmanager.ts FILE'] : []),
  ]
  if (foreign.length > 0) console.error(`warning: ${foreign.join(', ')}: unknown and ignored`)
  for (const mistake of mistakes) console.error(mistake)
  if (file === undefined || 'mistakes' in read || mistakes.length > 0) return 2
  const failure = writeSecretFile(file, `${JSON.stringify(alertmanagerConfig(read.notifications), null, 2)}\n`)
  if (failure !== undefined) {
    console.error(failure)
    return 1
  }
  const { receivers, heartbeatUrl } = read.notifications
  console.log(`${file}: ${receivers.join(', ') || 'no receivers'}${heartbeatUrl ? '; heartbeat' : ''}`)
  return 0
}

const ALERT_NAMES = ALERT_ROWS.map(({ variable }) => variable)

if (import.meta.main) process.exitCode = main(process.argv[2], process.env)
