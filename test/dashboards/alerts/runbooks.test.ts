/** The runbooks: one for each alert, with the same headings, and everything that they refer to exists. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { PROBE_ROWS } from '../../../app/probe/settings.ts'
import { ALERT_ROWS } from '../../../dashboards/alertmanager/settings.ts'
import { type AlertName, alertNames } from '../../../dashboards/alerts/alert.ts'
import { attributes, commands, details, labelOf, spans } from '../../../otel/names/names.ts'
import { OTEL_ROWS } from '../../../otel/settings/table.ts'
import { ROWS as PROXY_ROWS } from '../../../proxy/settings/table.ts'
import {
  DASHBOARDS,
  groupingsIn,
  panelsOf,
  readDashboards,
  selectorsIn,
  TABLE,
} from '../../support/monitoring/dashboards.ts'
import { missing, unless } from '../../support/programs/programs.ts'
import { assertValidRules } from './scenarios/promtool.ts'

const FOLDER = join(DASHBOARDS, 'runbooks')

const HEADINGS = [
  'What it means at AhaSend',
  'What users feel',
  'How to confirm in three minutes',
  'What to do',
  'When it is nothing',
]

/** Lines that an operator on call reads without scrolling. */
const PAGE = 60

const dashboards = readDashboards()

test('each alert has a runbook, and each runbook belongs to an alert', () => {
  const files = readdirSync(FOLDER).map((file) => file.replace(/\.md$/, ''))
  assert.deepEqual(files.toSorted(), alertNames.toSorted(), 'add or remove files in dashboards/runbooks')
})

test('commands check the configuration files that compose.yaml uses', () => {
  const compose = readFileSync(join(DASHBOARDS, '..', 'compose.yaml'), 'utf8')
  const texts = readdirSync(FOLDER).map((file) => readFileSync(join(FOLDER, file), 'utf8'))
  const paths = texts.flatMap((text) => [...text.matchAll(/\bcheck config (\/\S+?)`/g)].map(([, path]) => path))
  assert.notEqual(paths.length, 0)
  for (const path of paths) assert.ok(compose.includes(`--config.file=${path}\n`), path)
})

/** The sections of a runbook by their headings. */
function partsOf(text: string): ReadonlyMap<string, string> {
  const parts = text.split(/^## /m).slice(1)
  return new Map(
    parts.map((part) => {
      const end = part.indexOf('\n')
      return [part.slice(0, end), part.slice(end).trim()]
    }),
  )
}

/** The fenced code of a language. */
function fenced(text: string, language: string): string[] {
  return [...text.matchAll(new RegExp(`^ *\`\`\`${language}\\n([^\`]*)\`\`\``, 'gm'))].map(([, code = '']) =>
    code.trim(),
  )
}

/** Queries inside sentences. */
function inlineQueries(text: string): string[] {
  return [...text.matchAll(/(?<!`)`([^`\n]*\bsmtp_proxy_[^`\n]*)`/g)].map(([, code = '']) => code)
}

for (const name of alertNames) {
  describe(name, () => {
    const text = readFileSync(join(FOLDER, `${name}.md`), 'utf8')
    const parts = partsOf(text)
    const confirm = parts.get('How to confirm in three minutes') ?? ''

    test('has the headings of all runbooks, each with text below it', () => {
      assert.ok(text.startsWith(`# ${name}\n`))
      assert.deepEqual([...parts.keys()], HEADINGS)
      for (const [heading, part] of parts) assert.ok(part.length > 20, heading)
    })

    test('fits on one page', () => {
      assert.ok(text.split('\n').length <= PAGE, `more than ${PAGE} lines`)
    })

    test('confirms the problem with a panel, a query and a trace', () => {
      assert.match(confirm, /^1\. Panel: "/m)
      assert.match(confirm, /^2\. Query: /m)
      assert.match(confirm, /^3\. Trace: /m)
      assert.equal(fenced(confirm, 'promql').length, 1)
      assert.equal(fenced(confirm, 'traceql').length, /Trace: none\./.test(confirm) ? 0 : 1)
    })

    test('names panels and alerts that exist', () => {
      const [, panel, title] = /Panel: "([^"]*)" on "([^"]*)"/.exec(confirm) ?? []
      const dashboard = dashboards.find((one) => one.title === title)
      assert.ok(
        dashboard && panelsOf(dashboard).some((one) => one.title === panel),
        `there is no panel "${panel}" on "${title}"`,
      )
      for (const [, quoted = ''] of text.matchAll(/"([^"\n]*)"/g)) {
        if (!/^[A-Z]\w+ \w/.test(quoted)) continue
        const titles = dashboards.flatMap((one) => [one.title, ...panelsOf(one).map(({ title }) => title)])
        assert.ok(titles.includes(quoted), `no dashboard or panel has the title "${quoted}"`)
      }
      const others = text.match(/\b(AhaSend|SmtpProxy)[A-Z]\w+/g) ?? []
      assert.deepEqual(
        others.filter((other) => !alertNames.includes(other as AlertName)),
        [],
      )
    })

    test('uses metrics and labels that exist', () => {
      for (const query of [...fenced(text, 'promql'), ...inlineQueries(text)]) assertKnown(query)
    })

    test('uses spans and attributes that exist', () => {
      for (const query of fenced(text, 'traceql')) assertTraceql(query)
    })

    test('names settings that exist', () => {
      const rows = [...PROXY_ROWS, ...OTEL_ROWS, ...ALERT_ROWS, ...PROBE_ROWS].map(({ variable }) => variable as string)
      const compose = readFileSync(join(DASHBOARDS, '..', 'compose.yaml'), 'utf8')
      const named = text.match(/\b(PROXY|OTEL|ALERT|PROBE)_[A-Z_]+/g) ?? []
      assert.deepEqual(
        named.filter((variable) => !rows.includes(variable) && !compose.includes(`\${${variable}:`)),
        [],
      )
    })
  })
}

const OTHERS = ['up', '__name__', 'otel_metric_overflow', 'integration', 'reason']

/** Metrics of Prometheus and Alertmanager, and the labels that queries may use. */
const OF_OTHERS: Readonly<Record<string, readonly string[]>> = {
  up: ['job'],
  ALERTS: ['alertname'],
  alertmanager_notifications_failed_total: ['job'],
}

function assertKnown(query: string): void {
  const names =
    query.replaceAll(/\{[^}]*\}|"[^"]*"|\[[^\]]*\]/g, '').match(/\b(smtp_proxy|process|nodejs|v8js)_\w+/g) ?? []
  for (const name of names) {
    const known = [name, name.replace(/_(bucket|count|sum)$/, '')].some((one) => TABLE.has(one))
    assert.ok(known, `there is no metric ${name}`)
  }
  const labels = ['job', 'instance', 'le', ...OTHERS, ...Object.keys(attributes).map((key) => key.replaceAll('.', '_'))]
  for (const label of groupingsIn(query)) assert.ok(labels.includes(label), `there is no label ${label}`)
  for (const { metric, labels: used } of selectorsIn(query)) {
    const attributesOf = TABLE.get(metric)?.attributes.map((key) => labelOf(key)) ?? OF_OTHERS[metric] ?? []
    for (const label of used) assert.ok(attributesOf.includes(label), `${metric} has no label ${label}`)
  }
}

function assertTraceql(query: string): void {
  const [, inside = ''] = /^\{ (.*) \}$/.exec(query) ?? []
  for (const condition of inside.split(' && ')) {
    const [, left = '', operator = '', right = ''] = /^(\S+) (=|!=|=~|>) (\S+)$/.exec(condition) ?? []
    const values = operator === '=~' ? right.replaceAll('|', '"|"').split('|') : [right]
    for (const value of values) assertCondition(left, value, condition)
  }
}

function assertCondition(left: string, value: string, condition: string): void {
  if (left === 'name') assert.ok([...Object.values<string>(spans), ...commands].includes(JSON.parse(value)), condition)
  else if (left.startsWith('span.')) assertValue(left.slice(5), value)
  else assert.match(condition, /^(status = error|duration > \d+s)$/)
}

function assertValue(key: string, value: string): void {
  assert.ok(key in attributes || key in details, key)
  const known = (attributes as Record<string, { readonly values?: readonly unknown[] }>)[key]?.values
  if (known && value !== 'nil') assert.ok(known.includes(JSON.parse(value)), `${key} = ${value}`)
}

test('promtool accepts every query', unless(missing('promtool')), async () => {
  const rules = alertNames.flatMap((name) => {
    const text = readFileSync(join(FOLDER, `${name}.md`), 'utf8')
    return [...fenced(text, 'promql'), ...inlineQueries(text)].map((expr) => ({
      record: `runbook:${name}:query`,
      expr,
    }))
  })
  await assertValidRules(JSON.stringify({ groups: [{ name: 'runbooks', rules }] }), 'none')
})
