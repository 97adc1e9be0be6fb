/**
 * The rules of grafana/dashboard-linter, as far as they are about Prometheus: what makes a dashboard work in somebody
 * else's Grafana, too. Each rule is shown a dashboard that breaks it.
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
} from '../../support/dashboards.ts'

/** Without the counters whose first value is an event that no rate sees: they are read as they are, and only so. */
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
  /** What is wrong, one line each. */
  readonly wrong: (dashboard: DashboardJson) => readonly string[]
  /** Breaks the rule. */
  readonly spoil: (dashboard: DashboardJson) => void
}

const PROMETHEUS =
  /* biome-ignore lint/suspicious/noTemplateCurlyInString: a variable of Grafana */ '${prometheus_datasource}'
const UNITS: ReadonlySet<string> = new Set(Object.values({ ...units }).map(String))

/** Ranges of values that have other words: their ends. */
function rangesOf({ fieldConfig }: PanelJson): { from: number | null; to: number | null }[] {
  return (fieldConfig?.defaults.mappings ?? []).flatMap((one) => (one.type === 'range' ? [one.options] : []))
}

/** Panels that ask Prometheus. */
function asking(dashboard: DashboardJson): PanelJson[] {
  return panelsOf(dashboard).filter(({ type }) => type !== 'text')
}

function variable({ templating }: DashboardJson, name: string): VariableJson {
  const found = templating.list.find((one) => one.name === name)
  assert.ok(found, `there is no variable ${name}`)
  return found
}

/** Each query that is wrong, with its panel. */
function wrongQueries(dashboard: DashboardJson, isWrong: (expr: string) => boolean): readonly string[] {
  return asking(dashboard).flatMap(({ title, targets = [] }) =>
    targets.filter(({ expr }) => isWrong(expr)).map(({ expr }) => `${title}: ${expr}`),
  )
}

/** Without what stands in quotes: regular expressions there have brackets of their own. */
function unquoted(expr: string): string {
  return expr.replaceAll(/"[^"]*"/g, '""')
}

function wrongPanels(dashboard: DashboardJson, isWrong: (panel: PanelJson) => boolean): readonly string[] {
  return asking(dashboard)
    .filter(isWrong)
    .map(({ title }) => `${title}`)
}

function spoilQuery(dashboard: DashboardJson, from: string | RegExp, to: string): void {
  const has = ({ expr }: TargetJson) => (typeof from === 'string' ? expr.includes(from) : from.test(expr))
  const panel = asking(dashboard).find(({ targets = [] }) => targets.some(has))
  assert.ok(panel?.targets, 'there is no such query')
  panel.targets = panel.targets.map((target): TargetJson => ({ ...target, expr: target.expr.replace(from, to) }))
}

/** job and instance: both are asked of Prometheus, both may be several. */
function chooses(name: 'job' | 'instance', label: string): Rule {
  return {
    name: `template-${name}-rule`,
    wrong: (dashboard) => {
      const { type, datasource, ...rest } = variable(dashboard, name)
      const wanted = { multi: true, allValue: '.+', label }
      const odd = Object.entries(wanted).filter(([key, value]) => rest[key as keyof typeof rest] !== value)
      const asks = type === 'query' && datasource?.uid === PROMETHEUS
      return [...odd.map(([key]) => key), ...(asks ? [] : ['does not ask Prometheus'])]
    },
    spoil: (dashboard) => {
      variable(dashboard, name).multi = false
    },
  }
}

function demands(name: 'job' | 'instance'): Rule {
  const condition = `${name}=~"$${name}"`
  return {
    name: `target-${name}-rule`,
    wrong: (dashboard) =>
      wrongQueries(dashboard, (expr) => selectorsIn(expr).some(({ conditions }) => !conditions.includes(condition))),
    spoil: (dashboard) => spoilQuery(dashboard, condition, `${name}="one"`),
  }
}

const RULES: readonly Rule[] = [
  {
    name: 'template-datasource-rule',
    wrong: ({ templating }) =>
      templating.list
        .filter(({ type }) => type === 'datasource')
        .filter(
          ({ name, label, query }) => name !== `${query}_datasource` || label.toLowerCase() !== `${query} data source`,
        )
        .map(({ name }) => name),
    spoil: (dashboard) => {
      variable(dashboard, 'tempo_datasource').name = 'traces'
    },
  },
  chooses('job', 'Job'),
  chooses('instance', 'Instance'),
  {
    name: 'template-label-promql-rule',
    wrong: ({ templating }) =>
      templating.list
        .filter(({ type, query }) => type === 'query' && !/^label_values\(\w+(\{.+\})?, \w+\)$/.test(query))
        .map(({ name }) => name),
    spoil: ({ templating }) => {
      templating.list = templating.list.map((one) =>
        one.name === 'client' ? { ...one, query: 'client_names()' } : one,
      )
    },
  },
  {
    name: 'template-on-time-change-reload-rule',
    wrong: ({ templating }) =>
      templating.list.filter(({ type, refresh }) => type === 'query' && refresh !== 2).map(({ name }) => name),
    spoil: (dashboard) => {
      variable(dashboard, 'server').refresh = 1
    },
  },
  {
    name: 'panel-datasource-rule',
    wrong: (dashboard) =>
      wrongPanels(
        dashboard,
        ({ datasource, targets = [] }) =>
          datasource?.uid !== PROMETHEUS || targets.some((target) => target.datasource?.uid !== PROMETHEUS),
      ),
    spoil: (dashboard) => {
      asking(dashboard)[0]!.datasource = { type: 'prometheus', uid: 'prometheus' }
    },
  },
  {
    name: 'panel-title-description-rule',
    wrong: (dashboard) =>
      panelsOf(dashboard)
        .filter(({ title, description }) => !title || !description)
        .map(({ id }) => `panel ${id}`),
    spoil: (dashboard) => {
      asking(dashboard)[1]!.description = ''
    },
  },
  {
    name: 'panel-units-rule',
    wrong: (dashboard) => wrongPanels(dashboard, ({ fieldConfig }) => !UNITS.has(`${fieldConfig?.defaults.unit}`)),
    spoil: (dashboard) => {
      asking(dashboard)[0]!.fieldConfig!.defaults.unit = 'mails'
    },
  },
  {
    name: 'panel-no-targets-rule',
    wrong: (dashboard) => wrongPanels(dashboard, ({ targets = [] }) => targets.length === 0),
    spoil: (dashboard) => {
      asking(dashboard)[0]!.targets = []
    },
  },
  {
    name: 'target-rate-interval-rule',
    wrong: (dashboard) =>
      wrongQueries(dashboard, (expr) => /\bi?rate\([^[]*\[(?!\$__rate_interval\])/.test(unquoted(expr))),
    spoil: (dashboard) => spoilQuery(dashboard, /\brate\(([^[]*)\[\$__rate_interval\]/, 'rate($1[5m]'),
  },
  demands('job'),
  demands('instance'),
  {
    name: 'target-counter-agg-rule',
    wrong: (dashboard) =>
      wrongQueries(dashboard, (expr) =>
        /(?<!\b(?:rate|irate|increase)\()\b\w+_total\b|_total\{[^}]*\}(?!\[)/.test(withoutFirstEvents(expr)),
      ),
    spoil: (dashboard) => spoilQuery(dashboard, /\b(rate|increase)\((\w+_total)/, 'delta($2'),
  },
  {
    // no rule of the linter: Grafana 10 and 11 take an end that is null for 0, so that "Yes" became a red "100 %"
    name: 'ranges of values have two ends',
    wrong: (dashboard) =>
      wrongPanels(dashboard, (panel) => rangesOf(panel).some(({ from, to }) => from === null || to === null)),
    spoil: (dashboard) => {
      const [range] = asking(dashboard).flatMap(rangesOf)
      range!.to = null
    },
  },
  {
    name: 'uneditable-dashboard',
    wrong: ({ editable }) => (editable ? ['editable'] : []),
    spoil: (dashboard) => {
      dashboard.editable = true
    },
  },
]

for (const { name, wrong, spoil } of RULES) {
  describe(name, () => {
    for (const dashboard of readDashboards()) {
      test(`${dashboard.title} keeps it`, () => assert.deepEqual(wrong(dashboard), []))
      test(`${dashboard.title}, spoilt, does not`, () => {
        const spoilt = structuredClone(dashboard)
        spoil(spoilt)
        assert.notDeepEqual(wrong(spoilt), [])
      })
    }
  })
}
