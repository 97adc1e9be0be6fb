/** Alerts about certificates that expire soon. */

import { hold, type Scenario } from './scenario.ts'

/** In seconds. */
const DAY = 86_400

const upstream = (severity: 'critical' | 'warning', time: string) =>
  ({
    severity,
    description: `The last certificate that an upstream presented expires in ${time}. If AhaSend does not renew it, all connections fail from then on: the proxy does not accept an expired certificate.`,
  }) as const

export const UPSTREAM_CERTIFICATE: readonly Scenario[] = [
  {
    name: 'is a warning in its last week, critical in its last two days, and resolves when it is renewed',
    alert: 'AhaSendCertificateExpiring',
    every: 60,
    series: {
      'smtp_proxy_certificate_not_after_seconds{tls_side="upstream"}': [hold(10 * DAY, 9 * 1440), hold(90 * DAY, 1440)],
      'smtp_proxy_certificate_not_after_seconds{tls_side="listener"}': [hold(0, 10 * 1440)],
    },
    fires: [
      [2 * 1440],
      [5 * 1440, upstream('warning', '5d 0h 0m 0s')],
      [8.5 * 1440, upstream('warning', '1d 12h 0m 0s'), upstream('critical', '1d 12h 0m 0s')],
      [9.5 * 1440],
    ],
  },
]

const listener = (severity: 'critical' | 'warning', time: string) =>
  ({
    severity,
    labels: { instance: 'proxy:9464' },
    description: `The certificate in PROXY_TLS_CERT_FILE at proxy:9464 expires in ${time}. From then on, apps that verify the certificate cannot send mail.`,
  }) as const

export const LISTENER_CERTIFICATE: readonly Scenario[] = [
  {
    name: 'is a warning in its last two weeks, critical in its last three days, and resolves when it is renewed',
    alert: 'SmtpProxyCertificateExpiring',
    every: 60,
    series: {
      'smtp_proxy_certificate_not_after_seconds{tls_side="listener"}': [
        hold(20 * DAY, 19 * 1440),
        hold(99 * DAY, 1440),
      ],
      'smtp_proxy_certificate_not_after_seconds{tls_side="upstream"}': [hold(0, 20 * 1440)],
    },
    fires: [
      [5 * 1440],
      [10 * 1440, listener('warning', '10d 0h 0m 0s')],
      [18 * 1440, listener('warning', '2d 0h 0m 0s'), listener('critical', '2d 0h 0m 0s')],
      [19.5 * 1440],
    ],
  },
]
