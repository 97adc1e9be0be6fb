/**
 * The rules of grafana/dashboard-linter for Prometheus: a dashboard that follows them also works in another Grafana. For
 * each rule, one test checks the dashboards, and one checks that the rule finds a violation.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as units from '@grafana/grafana-foundation-sdk/units'
import {
  type DashboardJson,
  type PanelJson,
  panelsOf,
  readDashboards,
  selectorsIn,
  type TargetJson,
  type VariableJson,
} from '../../support/monitoring/dashboards.ts'

/**
 * An expression without the counters that are read without `rate`, because their first value is an event that no rate
 * sees. See increaseWithFirst in dashboards/promql/expressions.ts.
 */
function withoutFirstEvents(expr: string): string {
  const [counter, process] = [/\w+\{[^}]*\}/.source, /process_uptime_seconds\{[^}]*\}/.source]
  const its = / and ignoring \([^)]*\) /.source
  const young = new RegExp(`\\(${counter}${its}${process} < \\S+\\) > increase\\(`, 'g')
  const begun = new RegExp(
    `\\((${counter}) unless last_over_time\\(\\1\\[6h\\] offset \\S+\\)${its}last_over_time\\(${process}`,
    'g',
  )
  return expr.replaceAll(young, 'increase(').replaceAll(begun, '(increase(up')
}

interface Rule {
  readonly name: string
  /** The violations, one line each. */
  readonly violations: (dashboard: DashboardJson) => readonly string[]
  /** Breaks the rule. */
  readonly violate: (dashboard: DashboardJson) => void
}

const PROMETHEUS =
  /* biome-ignore lint/suspicious/noTemplateCurlyInString: a variable of Grafana */ '${prometheus_datasource}'
const UNITS: ReadonlySet<string> = new Set(Object.values({ ...units }).map(String))

/** The ranges of values that a panel replaces with texts. */
function rangesOf({ fieldConfig }: PanelJson): { from: number | null; to: number | null }[] {
  return (fieldConfig?.defaults.mappings ?? []).flatMap((one) => (one.type === 'range' ? [one.options] : []))
}

/** Panels with queries. */
function queryPanels(dashboard: DashboardJson): PanelJson[] {
  return panelsOf(dashboard).filter(({ type }) => type !== 'text')
}

function variable({ templating }: DashboardJson, name: string): VariableJson {
  const found = templating.list.find((one) => one.name === name)
  assert.ok(found, `there is no variable ${name}`)
  return found
}

/** The queries that violate a rule, with their panels. */
function wrongQueries(dashboard: DashboardJson, isWrong: (expr: string) => boolean): readonly string[] {
  return queryPanels(dashboard).flatMap(({ title, targets = [] }) =>
    targets.filter(({ expr }) => isWrong(expr)).map(({ expr }) => `${title}: ${expr}`),
  )
}

/** An expression without quoted texts: regular expressions can contain brackets. */
function unquoted(expr: string): string {
  return expr.replaceAll(/"[^"]*"/g, '""')
}

function wrongPanels(dashboard: DashboardJson, isWrong: (panel: PanelJson) => boolean): readonly string[] {
  return queryPanels(dashboard)
    .filter(isWrong)
    .map(({ title }) => `${title}`)
}

function changeQuery(dashboard: DashboardJson, from: string | RegExp, to: string): void {
  const has = ({ expr }: TargetJson) => (typeof from === 'string' ? expr.includes(from) : from.test(expr))
  const panel = queryPanels(dashboard).find(({ targets = [] }) => targets.some(has))
  assert.ok(panel?.targets, 'there is no such query')
  panel.targets = panel.targets.map((target): TargetJson => ({ ...target, expr: target.expr.replace(from, to) }))
}

/** A variable for `job` or `instance`: its values come from Prometheus, and several can be selected. */
function variableRule(name: 'job' | 'instance', label: string): Rule {
  return {
    name: `template-${name}-rule`,
    violations: (dashboard) => {
      const { type, datasource, ...rest } = variable(dashboard, name)
      const wanted = { multi: true, allValue: '.+', label }
      const odd = Object.entries(wanted).filter(([key, value]) => rest[key as keyof typeof rest] !== value)
      const isQuery = type === 'query' && datasource?.uid === PROMETHEUS
      return [...odd.map(([key]) => key), ...(isQuery ? [] : ['is no query of Prometheus'])]
    },
    violate: (dashboard) => {
      variable(dashboard, name).multi = false
    },
  }
}

/** The probe is another process: its job is that of the proxy and `-probe`, and its instance none of the proxy's. */
const OF_THE_PROBE = 'job=~"(?:$job)-probe"'

function targetRule(name: 'job' | 'instance'): Rule {
  const condition = `${name}=~"$${name}"`
  return {
    name: `target-${name}-rule`,
    violations: (dashboard) =>
      wrongQueries(dashboard, (expr) =>
        selectorsIn(expr).some(({ metric, conditions }) =>
          metric.startsWith('smtp_proxy_probe_') ? !conditions.includes(OF_THE_PROBE) : !conditions.includes(condition),
        ),
      ),
    violate: (dashboard) => changeQuery(dashboard, condition, `${name}="one"`),
  }
}

const RULES: readonly Rule[] = [
  {
    name: 'template-datasource-rule',
    violations: ({ templating }) =>
      templating.list
        .filter(({ type }) => type === 'datasource')
        .filter(
          ({ name, label, query }) => name !== `${query}_datasource` || label.toLowerCase() !== `${query} data source`,
        )
        .map(({ name }) => name),
    violate: (dashboard) => {
      variable(dashboard, 'tempo_datasource').name = 'traces'
    },
  },
  variableRule('job', 'Job'),
  variableRule('instance', 'Instance'),
  {
    name: 'template-label-promql-rule',
    violations: ({ templating }) =>
      templating.list
        .filter(({ type, query }) => type === 'query' && !/^label_values\(\w+(\{.+\})?, \w+\)$/.test(query))
        .map(({ name }) => name),
    violate: ({ templating }) => {
      templating.list = templating.list.map((one) =>
        one.name === 'client' ? { ...one, query: 'client_names()' } : one,
      )
    },
  },
  {
    name: 'template-on-time-change-reload-rule',
    violations: ({ templating }) =>
      templating.list.filter(({ type, refresh }) => type === 'query' && refresh !== 2).map(({ name }) => name),
    violate: (dashboard) => {
      variable(dashboard, 'server').refresh = 1
    },
  },
  {
    name: 'panel-datasource-rule',
    violations: (dashboard) =>
      wrongPanels(
        dashboard,
        ({ datasource, targets = [] }) =>
          datasource?.uid !== PROMETHEUS || targets.some((target) => target.datasource?.uid !== PROMETHEUS),
      ),
    violate: (dashboard) => {
      queryPanels(dashboard)[0]!.datasource = { type: 'prometheus', uid: 'prometheus' }
    },
  },
  {
    name: 'panel-title-description-rule',
    violations: (dashboard) =>
      panelsOf(dashboard)
        .filter(({ title, description }) => !title || !description)
        .map(({ id }) => `panel ${id}`),
    violate: (dashboard) => {
      queryPanels(dashboard)[1]!.description = ''
    },
  },
  {
    name: 'panel-units-rule',
    violations: (dashboard) => wrongPanels(dashboard, ({ fieldConfig }) => !UNITS.has(`${fieldConfig?.defaults.unit}`)),
    violate: (dashboard) => {
      queryPanels(dashboard)[0]!.fieldConfig!.defaults.unit = 'messages'
    },
  },
  {
    name: 'panel-no-targets-rule',
    violations: (dashboard) => wrongPanels(dashboard, ({ targets = [] }) => targets.length === 0),
    violate: (dashboard) => {
      queryPanels(dashboard)[0]!.targets = []
    },
  },
  {
    name: 'target-rate-interval-rule',
    violations: (dashboard) =>
      wrongQueries(dashboard, (expr) => /\bi?rate\([^[]*\[(?!\$__rate_interval\])/.test(unquoted(expr))),
    violate: (dashboard) => changeQuery(dashboard, /\brate\(([^[]*)\[\$__rate_interval\]/, 'rate($1[5m]'),
  },
  targetRule('job'),
  targetRule('instance'),
  {
    name: 'target-counter-agg-rule',
    violations: (dashboard) =>
      wrongQueries(dashboard, (expr) =>
        /(?<!\b(?:rate|irate|increase)\()\b\w+_total\b|_total\{[^}]*\}(?!\[)/.test(withoutFirstEvents(expr)),
      ),
    violate: (dashboard) => changeQuery(dashboard, /\b(rate|increase)\((\w+_total)/, 'delta($2'),
  },
  {
    // not a rule of the linter: Grafana 10 and 11 read an end that is null as 0, so "Yes" became a red "100 %"
    name: 'value ranges have two ends',
    violations: (dashboard) =>
      wrongPanels(dashboard, (panel) => rangesOf(panel).some(({ from, to }) => from === null || to === null)),
    violate: (dashboard) => {
      const [range] = queryPanels(dashboard).flatMap(rangesOf)
      range!.to = null
    },
  },
  {
    name: 'uneditable-dashboard',
    violations: ({ editable }) => (editable ? ['editable'] : []),
    violate: (dashboard) => {
      dashboard.editable = true
    },
  },
]

for (const { name, violations, violate } of RULES) {
  describe(name, () => {
    for (const dashboard of readDashboards()) {
      test(`${dashboard.title} follows the rule`, () => assert.deepEqual(violations(dashboard), []))
      test(`a violation in ${dashboard.title} is found`, () => {
        const changed = structuredClone(dashboard)
        violate(changed)
        assert.notDeepEqual(violations(changed), [])
      })
    }
  })
}
