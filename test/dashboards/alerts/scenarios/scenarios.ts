/** Everything that the alerts are tried with. */

import * as accountAndLoad from './account-and-load.ts'
import * as alerting from './alerting.ts'
import * as answers from './answers.ts'
import * as apps from './apps.ts'
import * as limits from './limits.ts'
import * as noFailures from './no-failures.ts'
import * as proxy from './proxy.ts'
import * as proxyHeader from './proxy-header.ts'
import * as proxyHeaderRollout from './proxy-header-rollout.ts'
import * as reaching from './reaching.ts'
import * as refused from './refused.ts'
import * as resources from './resources.ts'
import type { Scenario } from './scenario.ts'
import * as storms from './storms.ts'
import * as tls from './tls.ts'

export const SCENARIOS: readonly Scenario[] = [
  accountAndLoad,
  alerting,
  answers,
  apps,
  limits,
  noFailures,
  proxy,
  proxyHeader,
  proxyHeaderRollout,
  reaching,
  resources,
  refused,
  storms,
  tls,
].flatMap((room) => Object.values<readonly Scenario[]>(room).flat())
