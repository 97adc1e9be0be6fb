/** Which alerts are inhibited while others fire, in a real Alertmanager. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import type { AlertName } from '../../../dashboards/alerts/alert.ts'
import {
  type Alertmanager,
  alertmanagerMissing,
  configFor,
  type KnownAlert,
  type Labels,
  startAlertmanager,
} from '../../support/monitoring/alertmanager.ts'
import { unless } from '../../support/programs/programs.ts'

const JOB = 'ahasend-smtp-proxy'
const SERVER = { server_address: 'send.ahasend.com' }
const BILLING = { ...SERVER, smtp_client_name: 'billing' }
const PROBE = { instance: 'probe:9465', smtp_probe_step: 'mail' }
const WEB = { ...SERVER, smtp_client_name: 'web' }

function alert(alertname: AlertName, severity: string, labels: Labels = {}): Labels {
  return { alertname, severity, job: JOB, ...labels }
}

/** Alerts that fire at the same time, and which of them notify. */
const CASES: readonly {
  readonly name: string
  readonly notifies: readonly Labels[]
  readonly inhibited: readonly Labels[]
}[] = [
  {
    name: 'a disabled account inhibits the symptoms of its app, but neither those of other apps nor other outages',
    notifies: [
      alert('AhaSendAccountDisabled', 'critical', BILLING),
      // two apps share a name: the account of one is disabled, and the password of the other is wrong
      alert('AhaSendCredentialsRejected', 'critical', BILLING),
      alert('AhaSendCredentialsRejected', 'critical', WEB),
      alert('AhaSendUnreachable', 'warning', { ...SERVER, error_type: 'connect_timeout' }),
      alert('AhaSendUnreachable', 'warning', { server_address: 'send-us.ahasend.com', error_type: 'greeting_refused' }),
      alert('SmtpProxyErrorBudgetBurning', 'critical'),
    ],
    inhibited: [
      alert('AhaSendDomainNotConfigured', 'warning', BILLING),
      alert('AhaSendRecipientsRejected', 'warning', BILLING),
      alert('AhaSendUnreachable', 'warning', { ...SERVER, error_type: 'greeting_refused' }),
    ],
  },
  {
    name: 'an instance that reaches no upstream notifies in addition to a disabled account',
    notifies: [
      alert('AhaSendAccountDisabled', 'critical', BILLING),
      alert('AhaSendUnreachable', 'critical', { instance: 'one:9464' }),
    ],
    inhibited: [],
  },
  {
    name: 'an instance that reaches no upstream inhibits the warning of each upstream and the error budget',
    notifies: [alert('AhaSendUnreachable', 'critical', { instance: 'one:9464' })],
    inhibited: [
      alert('AhaSendUnreachable', 'warning', { ...SERVER, error_type: 'connect_timeout' }),
      alert('AhaSendUnreachable', 'warning', { server_address: 'send-us.ahasend.com', error_type: 'tls_untrusted' }),
      alert('SmtpProxyErrorBudgetBurning', 'critical'),
    ],
  },
  {
    name: 'an outage that is named inhibits the failing probe, but not its own faults and not its absence',
    notifies: [
      alert('AhaSendLoadShedding', 'critical', SERVER),
      alert('SmtpProxyProbeFailing', 'warning', { ...PROBE, instance: 'other:9465', error_type: '535' }),
      alert('SmtpProxyProbeAbsent', 'warning'),
    ],
    inhibited: [alert('SmtpProxyProbeFailing', 'critical', { ...PROBE, error_type: '421' })],
  },
  {
    name: 'a disabled account inhibits the probe that is refused with 521, but not other failures',
    notifies: [
      alert('AhaSendAccountDisabled', 'critical', BILLING),
      alert('SmtpProxyProbeFailing', 'critical', { ...PROBE, error_type: 'timeout' }),
    ],
    inhibited: [alert('SmtpProxyProbeFailing', 'critical', { ...PROBE, error_type: '521' })],
  },
  {
    name: 'a probe that fails alone notifies, and inhibits nothing',
    notifies: [
      alert('SmtpProxyProbeFailing', 'critical', { ...PROBE, error_type: 'timeout' }),
      alert('SmtpProxyErrorBudgetBurning', 'critical'),
      alert('AhaSendCredentialsRejected', 'warning', BILLING),
    ],
    inhibited: [],
  },
  {
    name: 'dropped sessions inhibit the error budget',
    notifies: [alert('AhaSendDroppingSessions', 'critical', SERVER)],
    inhibited: [alert('SmtpProxyErrorBudgetBurning', 'critical')],
  },
  {
    name: 'alerts of other systems are not inhibited',
    notifies: [
      { alertname: 'DiskFull', severity: 'critical', job: JOB },
      { alertname: 'DiskFull', severity: 'warning', job: JOB },
    ],
    inhibited: [],
  },
  {
    name: 'load shedding inhibits the error budget and the dials that it refuses',
    notifies: [
      alert('AhaSendLoadShedding', 'critical', SERVER),
      alert('AhaSendMailInDoubt', 'warning', BILLING),
      alert('AhaSendUnreachable', 'warning', { ...SERVER, error_type: 'tls_untrusted' }),
    ],
    inhibited: [
      alert('SmtpProxyErrorBudgetBurning', 'critical'),
      alert('AhaSendUnreachable', 'warning', { ...SERVER, error_type: 'greeting_refused' }),
    ],
  },
  {
    name: 'a critical alert inhibits the warning of the same name',
    notifies: [
      alert('AhaSendLoadShedding', 'critical', SERVER),
      alert('AhaSendLoadShedding', 'warning', { server_address: 'send-us.ahasend.com' }),
      alert('SmtpProxyRefusingSessions', 'critical', { smtp_session_close_reason: 'session_limit' }),
      alert('SmtpProxyRefusingSessions', 'warning', { smtp_session_close_reason: 'not_allowed' }),
      alert('SmtpProxyCertificateExpiring', 'warning', { instance: 'two:9464' }),
      alert('SmtpProxyCertificateExpiring', 'critical', { instance: 'one:9464' }),
    ],
    inhibited: [
      alert('AhaSendLoadShedding', 'warning', SERVER),
      alert('SmtpProxyRefusingSessions', 'warning', { smtp_session_close_reason: 'session_limit' }),
      alert('SmtpProxyCertificateExpiring', 'warning', { instance: 'one:9464' }),
    ],
  },
  {
    name: 'a proxy that does not answer inhibits all other alerts of its job, except the heartbeat',
    notifies: [
      alert('SmtpProxyDown', 'critical'),
      alert('SmtpProxyWatchdog', 'none'),
      { alertname: 'SmtpProxyWatchdog', severity: 'none' },
      { alertname: 'AhaSendAccountDisabled', severity: 'critical', job: 'another' },
    ],
    inhibited: [
      alert('AhaSendAccountDisabled', 'critical', BILLING),
      alert('SmtpProxyRestarting', 'warning', { instance: 'one:9464' }),
    ],
  },
  {
    name: 'one of several proxies that is down inhibits nothing',
    notifies: [
      alert('SmtpProxyDown', 'warning', { instance: 'one:9464' }),
      alert('AhaSendAccountDisabled', 'critical', BILLING),
    ],
    inhibited: [],
  },
]

describe('of alerts that fire at the same time', { ...unless(alertmanagerMissing()), concurrency: false }, () => {
  for (const { name, notifies, inhibited } of CASES) {
    test(name, async () => {
      await using alertmanager = await startAlertmanager(JSON.stringify(configFor({})))
      await alertmanager.fire([...notifies, ...inhibited])
      const known = await processed(alertmanager)
      assert.equal(known.length, notifies.length + inhibited.length)
      const suppressed = known.filter(isInhibited).map(({ labels }) => labels)
      assert.deepEqual(new Set(suppressed.map(keyOf)), new Set(inhibited.map(keyOf)))
    })
  }
})

const LIMIT_MS = 30_000

/** Alerts of a separate job, the warning of which is inhibited by the critical one. */
const LAST = (['critical', 'warning'] as const).map((severity) => ({
  ...alert('AhaSendLoadShedding', severity),
  job: 'last',
}))

/**
 * The alerts that Alertmanager knows after it has applied the inhibitions. It processes alerts in the order of arrival, but
 * lists them earlier: when the last warning is inhibited, all alerts before it are processed.
 */
async function processed(alertmanager: Alertmanager): Promise<readonly KnownAlert[]> {
  const isLast = ({ labels }: KnownAlert) => labels.job === 'last'
  await alertmanager.fire(LAST)
  const end = performance.now() + LIMIT_MS
  while (!(await alertmanager.alerts()).some((one) => isLast(one) && isInhibited(one))) {
    assert.ok(performance.now() < end, 'Alertmanager did not inhibit the warning of the last job in time')
    await pause(100)
  }
  return (await alertmanager.alerts()).filter((one) => !isLast(one))
}

function isInhibited({ status }: KnownAlert): boolean {
  return status.state === 'suppressed'
}

function keyOf(labels: Labels): string {
  return JSON.stringify(Object.entries(labels).toSorted())
}
