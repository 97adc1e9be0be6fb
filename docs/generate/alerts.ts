/** The index of alerts, and what silences them. */
import { inhibitionsInWords } from '../../dashboards/alertmanager/alertmanager.ts'
import { actorOf } from '../../dashboards/alerts/actors.ts'
import type { Alert } from '../../dashboards/alerts/alert.ts'
import { type AlertTopic, rulesOf } from '../../dashboards/alerts/alerts.ts'
import { actors } from '../../otel/names/meanings.ts'
import { durationText } from '../../settings/durations.ts'
import { lines, table } from './markdown.ts'
import type { Parts } from './parts.ts'

/** The parts of docs/alerts.md. */
export function alertParts(): Parts {
  return {
    alerts: rulesOf().topics.map(topic).join('\n'),
    inhibitions: `${inhibitionsInWords()
      .map((words) => `- ${words}\n`)
      .join('')}`,
  }
}

function topic({ title, about, alerts }: AlertTopic): string {
  const byName = Map.groupBy(alerts, ({ name }) => name)
  const rows = [...byName].map(([name, rules]) => [
    `[${name}](../dashboards/runbooks/${name}.md)`,
    lines(...rules.map(severity)),
    lines(...meanings(rules)),
    who(name),
  ])
  return `### ${title}\n\n${about}\n\n${table(['alert', 'severity, after', 'meaning', 'who acts'], rows)}`
}

function severity(rule: Alert): string {
  return `${rule.severity}, ${rule.for === 0 ? 'immediately' : durationText(rule.for * 1000)}`
}

/** One sentence if all rules of the alert mean the same, otherwise one for each severity. */
function meanings(rules: readonly Alert[]): readonly string[] {
  const summaries = [...new Set(rules.map(({ summary }) => summary))]
  if (summaries.length === 1) return summaries
  return rules.map((rule) => `${rule.severity}: ${rule.summary}`)
}

function who(name: Alert['name']): string {
  const actor = actorOf[name]
  if (actor === undefined) throw new Error(`${name}: no one acts on this alert. Add it to dashboards/alerts/actors.ts`)
  return actors[actor]
}
