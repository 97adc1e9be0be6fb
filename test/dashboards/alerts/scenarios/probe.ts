/** The probe. */
import { type Firing, gone, hold, type Scenario, steps } from './scenario.ts'

const TARGET = 'job="ahasend-smtp-proxy-probe", instance="probe:9465"'

function failures(step: string, error: string): string {
  return `smtp_proxy_probe_consecutive_failures{smtp_probe_step="${step}", error_type="${error}", ${TARGET}}`
}

function failing(severity: Firing['severity'], count: number, step: string, error: string): Firing {
  return {
    severity,
    labels: { instance: 'probe:9465', smtp_probe_step: step, error_type: error },
    description: `${count} runs of the probe at probe:9465 failed in a row, the last one at the step ${step} with ${error}. The probe connects to the proxy and logs in like an app.`,
  }
}

export const FAILING: readonly Scenario[] = [
  {
    name: 'three failed runs are critical, and the next success resolves',
    alert: 'SmtpProxyProbeFailing',
    series: { [failures('greeting', '421')]: [hold(0, 5), ...steps(0, 1, 4), hold(0, 5)] },
    fires: [
      [5],
      [6],
      [7, failing('critical', 3, 'greeting', '421')],
      [8, failing('critical', 4, 'greeting', '421')],
      [9],
    ],
  },
  {
    name: 'the first failure of a probe that just started counts',
    alert: 'SmtpProxyProbeFailing',
    series: { [failures('connect', 'connect_refused')]: [gone(2), ...steps(0, 1, 3), gone(10)] },
    fires: [[3], [4, failing('critical', 3, 'connect', 'connect_refused')]],
  },
  {
    name: 'runs that fail at different steps count together, and the alert names the last step',
    alert: 'SmtpProxyProbeFailing',
    series: {
      [failures('greeting', 'timeout')]: [hold(1, 1), hold(2, 1), hold(0, 5)],
      [failures('mail', '521')]: [hold(0, 2), hold(3, 1), hold(4, 4)],
    },
    fires: [[1], [2, failing('critical', 3, 'mail', '521')], [5, failing('critical', 4, 'mail', '521')]],
  },
  ...(['535', '530', '550', '556'] as const).map(
    (error): Scenario => ({
      name: `a login or an address of the probe that is refused with ${error} is a warning`,
      alert: 'SmtpProxyProbeFailing',
      series: { [failures('rcpt', error)]: [...steps(0, 1, 5)] },
      fires: [[1], [4, failing('warning', 5, 'rcpt', error)]],
    }),
  ),
  ...(['521', '421', '451', 'timeout', 'closed'] as const).map(
    (error): Scenario => ({
      name: `${error} at a step of the message is critical`,
      alert: 'SmtpProxyProbeFailing',
      series: { [failures('mail', error)]: [...steps(0, 1, 5)] },
      fires: [[1], [4, failing('critical', 5, 'mail', error)]],
    }),
  ),
  {
    name: 'a permanent refusal of the connection is critical',
    alert: 'SmtpProxyProbeFailing',
    series: { [failures('greeting', '554')]: [...steps(0, 1, 5)] },
    fires: [[4, failing('critical', 5, 'greeting', '554')]],
  },
]

const SUCCESS = `smtp_proxy_probe_success{${TARGET}}`
const missing: Firing = {
  severity: 'warning',
  description:
    'Prometheus has scraped no result of the probe of ahasend-smtp-proxy for ten minutes. Until the probe reports again, it finds no outage.',
}

export const ABSENT: readonly Scenario[] = [
  {
    name: 'a probe that disappears fires after ten minutes, and for six hours at most',
    alert: 'SmtpProxyProbeAbsent',
    every: 1,
    series: { [SUCCESS]: [hold(1, 30), gone(400)] },
    fires: [[29], [34], [50, missing], [380, missing], [395]],
  },
  {
    name: 'a restart, and a probe that fails, do not fire',
    alert: 'SmtpProxyProbeAbsent',
    every: 1,
    series: { [SUCCESS]: [hold(1, 20), gone(8), hold(0, 60)] },
    fires: [[27], [35], [80]],
  },
  {
    name: 'an installation without a probe does not fire',
    alert: 'SmtpProxyProbeAbsent',
    every: 1,
    series: { up: [hold(1, 60)] },
    fires: [[30], [59]],
  },
]
