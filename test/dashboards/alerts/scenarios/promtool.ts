/** Checks rules and runs scenarios with promtool. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { parse } from 'yaml'
import { prometheusRules } from '../../../../dashboards/generate/alert-files.ts'
import { type Outcome, run } from '../../../clients/command.ts'
import { writeTemporaryFiles } from '../../../support/files/temporary-files.ts'
import { fileOf } from '../../../support/programs/programs.ts'
import { type Firing, inputSeries, JOB, type Scenario } from './scenario.ts'

/** A rule of the generated file. */
export interface Rule {
  readonly record?: string
  readonly alert?: string
  readonly expr: string
  readonly for?: string
  readonly labels?: { readonly severity: string }
  readonly annotations?: Readonly<Record<'summary' | 'description' | 'runbook_url', string>> & {
    readonly dashboard_url?: string
  }
}

export interface Group {
  readonly name: string
  readonly interval?: string
  readonly rules: readonly Rule[]
}

/** The groups of the generated rule file. */
export function generatedGroups(): readonly Group[] {
  return (parse(prometheusRules()) as { readonly groups: readonly Group[] }).groups
}

/** The scenarios of days take 45 s of CPU, and a machine that runs the container tests as well is slower. */
const SCENARIOS_MS = 280_000

/**
 * Runs scenarios of one alert on the generated rules. Exit code 0 means that all expectations hold. `grafana` is the
 * address of Grafana in prometheus.yml.
 */
export async function tryScenarios(
  scenarios: readonly Scenario[],
  groups: readonly Group[],
  grafana?: string,
): Promise<Outcome> {
  const [alert] = scenarios.map((scenario) => scenario.alert)
  const needed = neededBy(groups, alert ?? '')
  const files: Record<string, string> = { 'rules.yaml': JSON.stringify({ groups: needed }) }
  for (const [every, some] of Map.groupBy(scenarios, (scenario) => scenario.every ?? 0.25)) {
    files[`tests-${every}.yaml`] = JSON.stringify({
      rule_files: ['rules.yaml'],
      evaluation_interval: `${every * 60}s`,
      // otherwise the order is random, and an alert uses values that were recorded now or one evaluation ago
      group_eval_order: needed.map(({ name }) => name).toReversed(),
      tests: some.map((scenario) => testOf(scenario, needed, grafana)),
    })
  }
  const { directory, remove } = writeTemporaryFiles(files)
  const tests = Object.keys(files).filter((name) => name.startsWith('tests'))
  try {
    const args = ['test', 'rules', ...tests.map((name) => join(directory, name))]
    return await run({ file: fileOf('promtool'), args, env: {} }, SCENARIOS_MS)
  } finally {
    remove()
  }
}

/** Fails with what promtool says unless it accepts the text of a rule file. `lint` selects its style checks. */
export async function assertValidRules(text: string, lint: 'all' | 'none' = 'all'): Promise<void> {
  const { paths, remove } = writeTemporaryFiles({ 'rules.yaml': text })
  try {
    const args = ['check', 'rules', `--lint=${lint}`, '--lint-fatal', paths['rules.yaml']]
    const { code, stdout, stderr } = await run({ file: fileOf('promtool'), args, env: {} })
    assert.equal(code, 0, stdout + stderr)
  } finally {
    remove()
  }
}

/** Stands for the name of a rule that is no recording: no expression contains it. */
const NONE = 'no name of a recording'

/** Whether a rule depends on whether an alert fired. */
function dependsOn({ expr }: Rule, { alert }: Rule): boolean {
  return alert !== undefined && firedIn(expr).includes(alert)
}

/** The alerts that an expression looks up in ALERTS. */
export function firedIn(expr: string): string[] {
  const named = expr.matchAll(/ALERTS\{alertname=~"([^"]*)"/g)
  return [...named].flatMap(([, names = '']) => names.split('|'))
}

/** The rules of an alert, and the recordings and alerts that they depend on. All other rules would only take time. */
function neededBy(groups: readonly Group[], alert: string): Group[] {
  const rules = groups.flatMap((group) => group.rules)
  const needed = new Set(rules.filter((rule) => rule.alert === alert))
  for (const rule of needed) {
    for (const other of rules) if (rule.expr.includes(other.record ?? NONE) || dependsOn(rule, other)) needed.add(other)
  }
  const kept = groups.map((group) => ({ ...group, rules: group.rules.filter((rule) => needed.has(rule)) }))
  return kept.filter(({ rules }) => rules.length > 0)
}

function testOf(scenario: Scenario, groups: readonly Group[], grafana?: string) {
  const { name, alert, every = 0.25, fires } = scenario
  return {
    name,
    interval: `${every * 60}s`,
    ...(grafana && { external_labels: { grafana_url: grafana } }),
    input_series: inputSeries(scenario),
    alert_rule_test: fires.map(([minute, ...firing]) => ({
      eval_time: `${Math.round(minute * 60)}s`,
      alertname: alert,
      exp_alerts: firing.map((one) => expected(alert, one, groups, grafana)),
    })),
  }
}

/** What promtool expects of a firing alert: the texts of the rule, with the description of the scenario. */
function expected(
  alert: string,
  { severity, labels, description }: Firing,
  groups: readonly Group[],
  grafana = 'http://localhost:3000',
) {
  const rules = groups.flatMap((group) => group.rules)
  const rule = rules.find((one) => one.alert === alert && one.labels?.severity === severity)
  const url = rule?.annotations?.dashboard_url?.replace(/^\{\{.*\}\}/, grafana)
  return {
    exp_labels: { severity, job: JOB, ...labels },
    exp_annotations: { ...rule?.annotations, description, dashboard_url: url },
  }
}
