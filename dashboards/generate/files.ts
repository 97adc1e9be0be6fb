/** All generated files: dashboards, alerts and Alertmanager's configuration. */
import { alertFiles } from './alert-files.ts'
import { allDashboards } from './dashboards.ts'

/** The content of each generated file, by its path in dashboards/. */
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
