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

export const SCENARIOS: readonly Scenario[] = [
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
