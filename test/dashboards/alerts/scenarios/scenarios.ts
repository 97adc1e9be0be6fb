/** All scenarios. Add those of a new alert to the file of its topic, or add a file here. */

import type { AlertName, Severity } from '../../../../dashboards/alerts/alert.ts'
import { PROBE_CLIENT } from '../../../../otel/names/names.ts'
import * as accountDisabled from './account-disabled.ts'
import * as alerting from './alerting.ts'
import * as apps from './apps.ts'
import * as certificates from './certificates.ts'
import * as connections from './connections.ts'
import * as credentials from './credentials.ts'
import * as errorBudget from './error-budget.ts'
import * as excluded from './excluded.ts'
import * as finalReplies from './final-replies.ts'
import * as limits from './limits.ts'
import * as probe from './probe.ts'
import * as proxy from './proxy.ts'
import * as proxyHeader from './proxy-header.ts'
import * as proxyHeaderRollout from './proxy-header-rollout.ts'
import * as refused from './refused.ts'
import * as resources from './resources.ts'
import type { Scenario } from './scenario.ts'
import * as temporaryFailures from './temporary-failures.ts'
import * as tls from './tls.ts'

const BILLING_LABEL = 'smtp_client_name="billing"'

const NAMED: readonly Scenario[] = [
  accountDisabled,
  alerting,
  apps,
  certificates,
  connections,
  credentials,
  errorBudget,
  excluded,
  finalReplies,
  limits,
  probe,
  proxy,
  proxyHeader,
  proxyHeaderRollout,
  refused,
  resources,
  temporaryFailures,
  tls,
].flatMap((topic) => Object.values<readonly Scenario[]>(topic).flat())

/** One scenario of each alert that names an app, as it is for apps that PROXY_CLIENTS does not name. */
const UNNAMED = Object.values(Object.groupBy(NAMED.filter(namesApp), ({ alert }) => alert)).flatMap(
  ([first]) => first && ofUnnamedApps(first),
)

/** What an alert still fires for the probe: its dials count, because they reach the same upstreams as those of apps. */
const BY_DIALS: Readonly<Partial<Record<AlertName, Severity>>> = { AhaSendUnreachable: 'warning' }

/** Its scenarios last days, which take promtool a minute. */
const TOO_LONG: AlertName = 'SmtpProxyProxyHeaderInvalid'

/** The shortest scenario of each alert about apps, with the probe in place of the app: nothing may fire. */
const OF_THE_PROBE = Object.values(Object.groupBy(NAMED.filter(firesForApp), ({ alert }) => alert)).flatMap((some) =>
  some
    .toSorted((one, other) => lengthOf(one) - lengthOf(other))
    .slice(0, 1)
    .map(ofTheProbe),
)

export const SCENARIOS: readonly Scenario[] = [
  ...NAMED,
  ...UNNAMED.filter((scenario) => scenario !== undefined),
  ...OF_THE_PROBE,
]

function firesForApp({ alert, fires, series }: Scenario): boolean {
  return (
    alert !== TOO_LONG &&
    fires.some(([, ...firing]) => firing.length > 0) &&
    Object.keys(series).some((name) => name.includes(BILLING_LABEL))
  )
}

function lengthOf({ fires, every = 0.25 }: Scenario): number {
  return Math.max(...fires.map(([minute]) => minute)) / every
}

function ofTheProbe(scenario: Scenario): Scenario {
  const series = Object.entries(scenario.series).map(([name, values]) => [
    name.replaceAll(BILLING_LABEL, `smtp_client_name="${PROBE_CLIENT}"`),
    values,
  ])
  const kept = BY_DIALS[scenario.alert]
  const fires = scenario.fires.map(([minute, ...firing]): Scenario['fires'][number] => [
    minute,
    ...firing.filter(({ severity }) => severity === kept),
  ])
  return { ...scenario, name: `${scenario.name}: not for the probe`, series: Object.fromEntries(series), fires }
}

function namesApp({ fires }: Scenario): boolean {
  return fires.some(([, ...firing]) => firing.some(({ labels }) => labels?.smtp_client_name === 'billing'))
}

/** The same scenario with the label value `other`, for which the texts have words. */
function ofUnnamedApps(scenario: Scenario): Scenario {
  const series = Object.entries(scenario.series).map(([name, values]) => [
    name.replaceAll(BILLING_LABEL, 'smtp_client_name="other"'),
    values,
  ])
  const fires = scenario.fires.map(([minute, ...firing]): Scenario['fires'][number] => [
    minute,
    ...firing.map((one) => ({
      ...one,
      labels: { ...one.labels, smtp_client_name: 'other' },
      description: one.description.replaceAll('billing', 'apps without a name (PROXY_CLIENTS)'),
    })),
  ])
  return { ...scenario, name: `${scenario.name}, for apps without a name`, series: Object.fromEntries(series), fires }
}
