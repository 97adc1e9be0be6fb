/** The alert about apps that fail to establish TLS with the proxy. */

import { grow, hold, LONG_RUNNING, type Scenario, steps } from './scenario.ts'
import { ended, messages } from './series.ts'

const LISTENER = 'smtps://0.0.0.0:465'
const ENTRY = { smtp_listener: LISTENER, smtp_client_name: 'billing' }

function handshakes(error?: string, client = 'billing'): string {
  const reason = error === undefined ? '' : `error_type="${error}", `
  const who = `smtp_listener="${LISTENER}", smtp_client_name="${client}"`
  return `smtp_proxy_client_tls_handshakes_total{${reason}${who}}`
}

const failing = (severity: 'critical' | 'warning', error: string, count: number) =>
  ({
    severity,
    labels: { ...ENTRY, error_type: error },
    description:
      `${count} attempts of billing to establish TLS at ${LISTENER} failed in the last hour: ${error}. The log line of ` +
      'each such session explains the failure.',
  }) as const

export const APP_TLS: readonly Scenario[] = [
  {
    name: 'an app that never establishes TLS is a warning within minutes, until half an hour after its last attempt',
    alert: 'SmtpProxyAppTlsFailing',
    series: {
      ...LONG_RUNNING,
      [handshakes('app_tls_abandoned')]: [hold(0, 20), grow(0, 1, 30), hold(30, 70)],
      [handshakes()]: [hold(0, 120)],
    },
    fires: [
      [19.75],
      [25, failing('warning', 'app_tls_abandoned', 5)],
      [49, failing('warning', 'app_tls_abandoned', 29)],
      [79, failing('warning', 'app_tls_abandoned', 30)],
      [82],
    ],
  },
  {
    name: 'an app that tries every 15 minutes is a warning too',
    alert: 'SmtpProxyAppTlsFailing',
    series: {
      ...LONG_RUNNING,
      [handshakes('app_tls_version')]: [hold(0, 20), ...steps(0, 15, 4), hold(4, 20)],
      [handshakes()]: [hold(0, 100)],
    },
    fires: [[19.75], [49], [53, failing('warning', 'app_tls_version', 3)]],
  },
  {
    name: 'an app that established TLS today and no longer can is critical after 20 minutes of failures',
    alert: 'SmtpProxyAppTlsFailing',
    series: {
      ...LONG_RUNNING,
      [handshakes()]: [grow(0, 1, 60), hold(60, 60)],
      [handshakes('app_tls_certificate_rejected')]: [hold(0, 60), grow(0, 1, 60)],
      [messages('accepted')]: [grow(0, 1, 60), hold(60, 60)],
    },
    fires: [
      [59],
      [67, failing('warning', 'app_tls_certificate_rejected', 7)],
      [
        83,
        failing('critical', 'app_tls_certificate_rejected', 23),
        failing('warning', 'app_tls_certificate_rejected', 23),
      ],
    ],
  },
  {
    name: 'an app whose older connections carry mail is not critical',
    alert: 'SmtpProxyAppTlsFailing',
    series: {
      ...LONG_RUNNING,
      [handshakes()]: [grow(0, 1, 60), hold(60, 60)],
      [handshakes('app_tls_certificate_rejected')]: [hold(0, 60), grow(0, 1, 60)],
      [messages('accepted')]: [grow(0, 1, 120)],
    },
    fires: [[59], [83, failing('warning', 'app_tls_certificate_rejected', 23)]],
  },
  {
    name: 'a scan of a few minutes is a warning and never critical',
    alert: 'SmtpProxyAppTlsFailing',
    series: {
      ...LONG_RUNNING,
      [handshakes()]: [hold(50, 1), grow(50, 1, 60), hold(110, 120)],
      [handshakes('app_tls_version')]: [hold(0, 100), grow(0, 20, 5), hold(100, 76)],
    },
    fires: [[99], [106, failing('warning', 'app_tls_version', 100)], [121], [135], [170]],
  },
  {
    name: 'one of several apps under the same name is a warning if it keeps failing for half an hour',
    alert: 'SmtpProxyAppTlsFailing',
    series: {
      ...LONG_RUNNING,
      [handshakes()]: [grow(0, 10, 120)],
      [handshakes('app_tls_plaintext')]: [hold(0, 20), grow(0, 0.5, 100)],
    },
    fires: [[25], [45], [60, failing('warning', 'app_tls_plaintext', 20)]],
  },
  {
    name: 'a few failures among successes do not fire',
    alert: 'SmtpProxyAppTlsFailing',
    series: {
      ...LONG_RUNNING,
      [handshakes()]: [grow(0, 10, 120)],
      [handshakes('app_tls_failed')]: [hold(0, 20), hold(5, 100)],
    },
    fires: [[19], [22], [30], [60], [90]],
  },
  {
    name: 'port scanners and health checks that disconnect silently do not fire, whatever their number',
    alert: 'SmtpProxyAppTlsFailing',
    series: {
      ...LONG_RUNNING,
      [handshakes()]: [hold(0, 120)],
      [handshakes('app_tls_closed')]: [grow(0, 60, 120)],
      [ended('client_closed')]: [grow(0, 60, 120)],
    },
    fires: [[5], [30], [70], [119]],
  },
  {
    name: 'another app at the same listener does not hide the one that fails',
    alert: 'SmtpProxyAppTlsFailing',
    series: {
      ...LONG_RUNNING,
      [handshakes(undefined, 'web')]: [grow(0, 10, 60)],
      [handshakes()]: [hold(0, 60)],
      [handshakes('app_tls_timeout')]: [hold(0, 20), grow(0, 1, 40)],
    },
    fires: [[19.75], [26, failing('warning', 'app_tls_timeout', 6)]],
  },
]
