/** Everything that is generated, by its path below dashboards/. */
import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard'
import { limits } from '../boards/limits.ts'
import { mailHealth } from '../boards/mail-health.ts'
import { proxy } from '../boards/proxy.ts'
import { refusals } from '../boards/refusals.ts'
import { alertFiles } from './alert-files.ts'

/** The dashboards, in the order in which one asks. */
export const allDashboards: readonly Dashboard[] = [mailHealth, refusals, limits, proxy]

export function generatedFiles(): Readonly<Record<string, string>> {
  return { ...dashboardFiles(), ...alertFiles() }
}

function dashboardFiles(): Readonly<Record<string, string>> {
  const files = allDashboards.map((built) => [`generated/${built.uid}.json`, `${JSON.stringify(built, inSight, 2)}\n`])
  return Object.fromEntries(files)
}

/** The SDK (0.0.21) puts every link and annotation into a menu, where newer Grafanas would hide them. */
function inSight(key: string, value: unknown): unknown {
  return key === 'placement' && value === 'inControlsMenu' ? undefined : value
}
