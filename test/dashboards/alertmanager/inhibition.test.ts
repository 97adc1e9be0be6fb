/** Which alerts are silent while others fire, in a real Alertmanager. */
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
} from '../../support/alertmanager.ts'
import { unless } from '../../support/programs.ts'

const JOB = 'ahasend-smtp-proxy'
const SERVER = { server_address: 'send.ahasend.com' }
const BILLING = { ...SERVER, smtp_client_name: 'billing' }
const WEB = { ...SERVER, smtp_client_name: 'web' }

function alert(alertname: AlertName, severity: string, labels: Labels = {}): Labels {
  return { alertname, severity, job: JOB, ...labels }
}

/** What fires together, and which of it is silent. */
const TOGETHER: readonly {
  readonly sentence: string
  readonly heard: readonly Labels[]
  readonly silent: readonly Labels[]
}[] = [
  {
    sentence: 'a disabled account silences what its app sees of it, not what another app sees, nor another outage',
    heard: [
      alert('AhaSendAccountDisabled', 'critical', BILLING),
      // of two apps under one name the account of one is disabled, and the other one's secret is wrong
      alert('AhaSendCredentialsRejected', 'critical', BILLING),
      alert('AhaSendCredentialsRejected', 'critical', WEB),
      alert('AhaSendUnreachable', 'warning', { ...SERVER, error_type: 'connect_timeout' }),
      alert('AhaSendUnreachable', 'warning', { server_address: 'send-us.ahasend.com', error_type: 'greeting_refused' }),
      alert('SmtpProxyErrorBudgetBurning', 'critical'),
    ],
    silent: [
      alert('AhaSendDomainNotConfigured', 'warning', BILLING),
      alert('AhaSendRecipientsRejected', 'warning', BILLING),
      alert('AhaSendUnreachable', 'warning', { ...SERVER, error_type: 'greeting_refused' }),
    ],
  },
  {
    sentence: 'an instance that reaches nothing is heard beside a disabled account',
    heard: [
      alert('AhaSendAccountDisabled', 'critical', BILLING),
      alert('AhaSendUnreachable', 'critical', { instance: 'one:9464' }),
    ],
    silent: [],
  },
  {
    sentence: 'an instance that reaches nothing silences the warning of each upstream, and the sum of it',
    heard: [alert('AhaSendUnreachable', 'critical', { instance: 'one:9464' })],
    silent: [
      alert('AhaSendUnreachable', 'warning', { ...SERVER, error_type: 'connect_timeout' }),
      alert('AhaSendUnreachable', 'warning', { server_address: 'send-us.ahasend.com', error_type: 'tls_untrusted' }),
      alert('SmtpProxyErrorBudgetBurning', 'critical'),
    ],
  },
  {
    sentence: 'sessions that are dropped silence the sum of it',
    heard: [alert('AhaSendDroppingSessions', 'critical', SERVER)],
    silent: [alert('SmtpProxyErrorBudgetBurning', 'critical')],
  },
  {
    sentence: 'alerts of other people are left alone',
    heard: [
      { alertname: 'DiskFull', severity: 'critical', job: JOB },
      { alertname: 'DiskFull', severity: 'warning', job: JOB },
    ],
    silent: [],
  },
  {
    sentence: 'load shedding silences the sum of it, and dials that it failed',
    heard: [
      alert('AhaSendLoadShedding', 'critical', SERVER),
      alert('AhaSendMailInDoubt', 'warning', BILLING),
      alert('AhaSendUnreachable', 'warning', { ...SERVER, error_type: 'tls_untrusted' }),
    ],
    silent: [
      alert('SmtpProxyErrorBudgetBurning', 'critical'),
      alert('AhaSendUnreachable', 'warning', { ...SERVER, error_type: 'greeting_refused' }),
    ],
  },
  {
    sentence: 'what is critical is not told as a warning too',
    heard: [
      alert('AhaSendLoadShedding', 'critical', SERVER),
      alert('AhaSendLoadShedding', 'warning', { server_address: 'send-us.ahasend.com' }),
      alert('SmtpProxyRefusingSessions', 'critical', { smtp_session_close_reason: 'session_limit' }),
      alert('SmtpProxyRefusingSessions', 'warning', { smtp_session_close_reason: 'not_allowed' }),
      alert('SmtpProxyCertificateExpiring', 'warning', { instance: 'two:9464' }),
      alert('SmtpProxyCertificateExpiring', 'critical', { instance: 'one:9464' }),
    ],
    silent: [
      alert('AhaSendLoadShedding', 'warning', SERVER),
      alert('SmtpProxyRefusingSessions', 'warning', { smtp_session_close_reason: 'session_limit' }),
      alert('SmtpProxyCertificateExpiring', 'warning', { instance: 'one:9464' }),
    ],
  },
  {
    sentence: 'without a proxy that answers nothing else is told, but for another job, and the heartbeat goes on',
    heard: [
      alert('SmtpProxyDown', 'critical'),
      alert('SmtpProxyWatchdog', 'none'),
      { alertname: 'SmtpProxyWatchdog', severity: 'none' },
      { alertname: 'AhaSendAccountDisabled', severity: 'critical', job: 'another' },
    ],
    silent: [
      alert('AhaSendAccountDisabled', 'critical', BILLING),
      alert('SmtpProxyRestarting', 'warning', { instance: 'one:9464' }),
    ],
  },
  {
    sentence: 'one proxy of several that is down silences nothing',
    heard: [
      alert('SmtpProxyDown', 'warning', { instance: 'one:9464' }),
      alert('AhaSendAccountDisabled', 'critical', BILLING),
    ],
    silent: [],
  },
]

describe('together', { ...unless(alertmanagerMissing()), concurrency: false }, () => {
  for (const { sentence, heard, silent } of TOGETHER) {
    test(sentence, async () => {
      await using alertmanager = await startAlertmanager(JSON.stringify(configFor({})))
      await alertmanager.fire([...heard, ...silent])
      const known = await judged(alertmanager)
      assert.equal(known.length, heard.length + silent.length)
      const suppressed = known.filter(isSuppressed).map(({ labels }) => labels)
      assert.deepEqual(new Set(suppressed.map(keyOf)), new Set(silent.map(keyOf)))
    })
  }
})

const LIMIT_MS = 30_000

/** A job of its own, in which a warning is silent: see "what is critical is not told as a warning too". */
const LAST = (['critical', 'warning'] as const).map((severity) => ({
  ...alert('AhaSendLoadShedding', severity),
  job: 'last',
}))

/**
 * What Alertmanager knows once it knows too what silences what: it takes in alerts in the order in which they come, but
 * answers with them before that. So when the last one is silent, it has looked at all.
 */
async function judged(alertmanager: Alertmanager): Promise<readonly KnownAlert[]> {
  const isLast = ({ labels }: KnownAlert) => labels.job === 'last'
  await alertmanager.fire(LAST)
  const end = performance.now() + LIMIT_MS
  while (!(await alertmanager.alerts()).some((one) => isLast(one) && isSuppressed(one))) {
    assert.ok(performance.now() < end, 'the warning of the last job is told beside what is critical there')
    await pause(100)
  }
  return (await alertmanager.alerts()).filter((one) => !isLast(one))
}

function isSuppressed({ status }: KnownAlert): boolean {
  return status.state === 'suppressed'
}

function keyOf(labels: Labels): string {
  return JSON.stringify(Object.entries(labels).toSorted())
}
