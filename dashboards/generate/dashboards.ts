/** The dashboards and the panels that alerts refer to. */
import type { Dashboard } from '@grafana/grafana-foundation-sdk/dashboard'
import type { Alert } from '../alerts/alert.ts'
import { limits } from '../boards/limits/limits.ts'
import { mailHealth } from '../boards/mail-health/mail-health.ts'
import { proxy } from '../boards/proxy/proxy.ts'
import { refusals } from '../boards/refusals/refusals.ts'

/** The dashboards, in the order in which an operator uses them. */
export const allDashboards: readonly Dashboard[] = [mailHealth, refusals, limits, proxy]

export type AlertPanel = Required<Alert>['panel']

/** The number of a panel on its dashboard. Throws if the dashboard has no panel with that title. */
export function panelId([uid, title]: AlertPanel): number {
  const panels = allDashboards.find((dashboard) => dashboard.uid === uid)?.panels ?? []
  const id = panels.find((panel) => panel.title === title)?.id
  if (id === undefined)
    throw new Error(`dashboard ${uid} has no panel "${title}": correct \`panel\` of the alert in dashboards/alerts`)
  return id
}
