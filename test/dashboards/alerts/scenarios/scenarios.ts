/** All scenarios. Add those of a new alert to the file of its topic, or add a file here. */

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
import * as proxy from './proxy.ts'
import * as proxyHeader from './proxy-header.ts'
import * as proxyHeaderRollout from './proxy-header-rollout.ts'
import * as refused from './refused.ts'
import * as resources from './resources.ts'
import type { Scenario } from './scenario.ts'
import * as temporaryFailures from './temporary-failures.ts'
import * as tls from './tls.ts'

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

export const SCENARIOS: readonly Scenario[] = [...NAMED, ...UNNAMED.filter((scenario) => scenario !== undefined)]

function namesApp({ fires }: Scenario): boolean {
  return fires.some(([, ...firing]) => firing.some(({ labels }) => labels?.smtp_client_name === 'billing'))
}

/** The same scenario with the label value `other`, for which the texts have words. */
function ofUnnamedApps(scenario: Scenario): Scenario {
  const series = Object.entries(scenario.series).map(([name, values]) => [
    name.replaceAll('smtp_client_name="billing"', 'smtp_client_name="other"'),
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
