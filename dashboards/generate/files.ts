/** All generated files, by their path in dashboards/. */
import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard'
import { limits } from '../boards/limits.ts'
import { mailHealth } from '../boards/mail-health.ts'
import { proxy } from '../boards/proxy.ts'
import { refusals } from '../boards/refusals.ts'
import { alertFiles } from './alert-files.ts'

/** The dashboards, in the order in which an operator uses them. */
export const allDashboards: readonly Dashboard[] = [mailHealth, refusals, limits, proxy]

export function generatedFiles(): Readonly<Record<string, string>> {
  return { ...dashboardFiles(), ...alertFiles() }
}

function dashboardFiles(): Readonly<Record<string, string>> {
  const files = allDashboards.map((built) => [
    `generated/${built.uid}.json`,
    `${JSON.stringify(built, withoutMenuPlacement, 2)}\n`,
  ])
  return Object.fromEntries(files)
}

/** The SDK (0.0.21) places every link and annotation in a menu, where newer Grafana versions hide them. */
function withoutMenuPlacement(key: string, value: unknown): unknown {
  return key === 'placement' && value === 'inControlsMenu' ? undefined : value
}
