/** The generated rules: whole, well named, and made of what a proxy really says. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { parse } from 'yaml'
import { alertNames } from '../../../dashboards/alerts/alert.ts'
import { rulesOf } from '../../../dashboards/alerts/alerts.ts'
import { prometheusRules } from '../../../dashboards/generate/alert-files.ts'
import { durationOf } from '../../../dashboards/promql/durations.ts'
import { labelOf } from '../../../otel/names/names.ts'
import { type Outcome, run } from '../../clients/command.ts'
import { writeTemporaryFiles } from '../../support/certificates.ts'
import { DASHBOARDS, groupingsIn, selectorsIn, TABLE } from '../../support/dashboards.ts'
import { fileOf, missing, unless } from '../../support/programs.ts'
import { firedIn, generatedGroups, type Rule } from './scenarios/promtool.ts'

const rules = generatedGroups().flatMap((group) => group.rules)
const alerts = rules.filter((rule) => rule.alert !== undefined)

async function checkRules(text: string): Promise<Outcome> {
  const { paths, remove } = writeTemporaryFiles({ 'rules.yaml': text })
  try {
    const args = ['check', 'rules', '--lint=all', '--lint-fatal', paths['rules.yaml']]
    return await run({ file: fileOf('promtool'), args, env: {} })
  } finally {
    remove()
  }
}

test('promtool finds nothing wrong with the rules', unless(missing('promtool')), async () => {
  const { code, stdout, stderr } = await checkRules(prometheusRules())
  assert.equal(code, 0, stdout + stderr)
})

test('promtool finds nothing wrong with prometheus.yml', unless(missing('promtool')), async () => {
  const file = join(DASHBOARDS, '..', 'otel', 'stack', 'prometheus.yml')
  const { code, stdout, stderr } = await run({
    file: fileOf('promtool'),
    args: ['check', 'config', '--syntax-only', file],
    env: {},
  })
  assert.equal(code, 0, stdout + stderr)
})

test('every alert has a rule, and every rule is of an alert', () => {
  assert.deepEqual(new Set(alerts.map(({ alert }) => alert)), new Set(alertNames))
})

describe('every alert', () => {
  const each = (look: (rule: Required<Rule>, where: string) => void) => () => {
    for (const rule of alerts) look(rule as Required<Rule>, `${rule.alert} (${rule.labels?.severity})`)
  }

  test('is a sentence in CamelCase', () => {
    for (const name of alertNames) assert.match(name, /^(AhaSend|SmtpProxy)([A-Z][a-z]+)+$/)
  })

  test(
    'is there once for each severity',
    each(({ alert, labels }, where) => {
      const same = alerts.filter((other) => other.alert === alert && other.labels?.severity === labels.severity)
      assert.equal(same.length, 1, where)
      assert.match(labels.severity, /^(critical|warning|info|none)$/, where)
    }),
  )

  test(
    'says how long it waits',
    each((rule, where) => assert.match(rule.for, /^(0s|\d+[mh])$/, where)),
  )

  test(
    'has a summary that is always the same, and a description with values',
    each(({ alert, annotations: { summary, description } }, where) => {
      assert.doesNotMatch(summary, /\{\{/, where)
      assert.match(summary, /^[A-Z].*\.$/, where)
      if (!/^SmtpProxy(Absent|Watchdog)$/.test(alert) && !/^Messages with more than/.test(description))
        assert.match(description, /\{\{/, where)
    }),
  )

  test(
    'has a runbook',
    each(({ alert, annotations }, where) => {
      assert.ok(annotations.runbook_url.endsWith(`/main/dashboards/runbooks/${alert}.md`), where)
      assert.ok(existsSync(join(DASHBOARDS, 'runbooks', `${alert}.md`)), where)
    }),
  )

  test(
    'describes itself with labels that it has',
    each(({ annotations, expr }, where) => {
      const under = rules.filter(({ record }) => record !== undefined && expr.includes(record))
      const kept = [expr, ...under.map((rule) => rule.expr)].map((text) => text.replaceAll(/ignoring \([^)]*\)/g, ''))
      const groupings = new Set(['job', 'instance', ...kept.flatMap(groupingsIn)])
      for (const [, label = ''] of annotations.description.matchAll(/\$labels\.(\w+)/g))
        assert.ok(groupings.has(label), `${where}: ${label}`)
    }),
  )
})

/** What is recorded, as it is named in expressions. */
const recorded = new Set(rules.flatMap(({ record }) => record ?? []))

test('what rules refer to is recorded, and what is recorded is used', () => {
  const used = new Set(rules.flatMap(({ expr }) => expr.match(/\b\w+:\w+:\w+/g) ?? []))
  assert.deepEqual(used, recorded)
})

/** Metrics that are none of the proxy's, and whose they are. */
const OF_OTHERS: Readonly<Record<string, string>> = {
  up: 'Prometheus: what it scrapes',
  ALERTS: 'Prometheus: what fires',
  alertmanager_notifications_failed_total:
    'Alertmanager: who cannot be told (test/dashboards/alertmanager/undelivered.test.ts)',
}

test('rules ask for metrics and labels of the table only, and never for a whole bound of a bucket', () => {
  const { recordings, alerts: made } = rulesOf()
  for (const { name, expr } of [...recordings.short, ...recordings.long, ...made]) {
    assert.doesNotMatch(expr, /\ble=/, name)
    for (const { metric, labels } of selectorsIn(expr)) {
      if (metric in OF_OTHERS) continue
      const attributes = TABLE.get(metric)?.attributes
      assert.ok(attributes, `${name}: ${metric}`)
      const known = attributes.map((key) => labelOf(key))
      assert.deepEqual(
        labels.filter((label) => !known.includes(label)),
        [],
        `${name}: ${metric}`,
      )
    }
  }
})

test('a rule asks for fired alerts that can fire so, and those of AhaSend are evaluated before', () => {
  const asking = rules.filter(({ expr }) => firedIn(expr).length > 0)
  assert.deepEqual(
    asking.map(({ alert, labels }) => `${alert} ${labels?.severity}`),
    ['SmtpProxyErrorBudgetBurning critical', 'SmtpProxyProxyHeaderInvalid critical'],
  )
  for (const rule of asking)
    for (const name of firedIn(rule.expr)) {
      const named = rules.findIndex(({ alert, labels }) => alert === name && labels?.severity === 'critical')
      assert.ok(named >= 0, name)
      if (name.startsWith('AhaSend')) assert.ok(named < rules.indexOf(rule), name)
    }
})

test('on another scale of time nothing but times is different', () => {
  const shape = (text: string) =>
    text
      .replaceAll(/(\[|offset |for: |interval: )(?:\d+(?:ms|[smhd]))+/g, '$1T')
      .replaceAll(/(\[T:)(?:\d+(?:ms|[smhd]))+\]/g, '$1T]')
      .replaceAll(/(uptime_seconds) < [\d.]+/g, '$1 < T')
  assert.equal(shape(prometheusRules({ timeScale: 1 / 60 })), shape(prometheusRules()))
  assert.notEqual(prometheusRules({ timeScale: 1 / 60 }), prometheusRules())
})

const DURATIONS: readonly (readonly [seconds: number, text: string])[] = [
  [0, '0s'],
  [60, '1m'],
  [90, '1m30s'],
  [3600, '1h'],
  [259_200, '3d'],
  [0.25, '250ms'],
  [1.5, '1s500ms'],
]

for (const [seconds, text] of DURATIONS) {
  test(`${seconds} seconds are ${text}`, () => assert.equal(durationOf(seconds), text))
}

interface GrafanaRule {
  readonly uid: string
  readonly title: string
  readonly condition: string
  readonly for: string
  readonly labels: { readonly severity: string; readonly alert: string }
  readonly annotations: Readonly<Record<string, string>>
  readonly dashboardUid: string
  readonly panelId: number
  readonly execErrState: string
  readonly data: readonly {
    readonly refId: string
    readonly datasourceUid: string
    readonly model: { readonly expr?: string; readonly expression?: string }
  }[]
}

describe('for Grafana', () => {
  const text = readFileSync(join(DASHBOARDS, 'generated', 'grafana-alerts.yaml'), 'utf8')
  const [group] = (parse(text) as { readonly groups: readonly { readonly rules: readonly GrafanaRule[] }[] }).groups
  const made = group?.rules ?? []

  test('there are the same alerts, but for those about alerting', () => {
    const told = (one: { alert: string; severity: string; for: string }) => `${one.alert} ${one.severity} ${one.for}`
    assert.deepEqual(
      made.map((rule) => told({ ...rule.labels, for: rule.for })),
      alerts
        .filter((rule) => !/^SmtpProxy(AlertsNotDelivered|Watchdog)$/.test(`${rule.alert}`))
        .map((rule) => told({ alert: rule.alert ?? '', severity: rule.labels?.severity ?? '', for: rule.for ?? '' })),
    )
  })

  test('nothing rests on what Prometheus would have to record', () => {
    for (const { title, data } of made) assert.doesNotMatch(data[0]?.model.expr ?? '', /\w+:\w+:\w+|ALERTS/, title)
  })

  test('one alert says that Prometheus does not answer, and not all', () => {
    assert.deepEqual(
      made.filter(({ execErrState }) => execErrState !== 'KeepLast').map(({ title }) => title),
      ['SmtpProxyAbsent (critical)'],
    )
  })

  test('uids are as short as Grafana wants them, and all different, like titles', () => {
    for (const { uid } of made) assert.match(uid, /^[a-z-]{1,40}$/)
    assert.equal(new Set(made.map(({ uid }) => uid)).size, made.length)
    assert.equal(new Set(made.map(({ title }) => title)).size, made.length)
  })

  test('each step asks the one before it', () => {
    for (const { condition, data } of made) {
      const steps = data.map(({ refId, datasourceUid, model }) => [refId, datasourceUid, model.expression])
      assert.deepEqual(steps, [
        ['query', 'prometheus', undefined],
        ['returned', '__expr__', 'is_number($query) || is_nan($query) || is_inf($query)'],
        ['threshold', '__expr__', 'returned'],
      ])
      assert.equal(condition, 'threshold')
    }
  })

  test('values in texts are those of the query', () => {
    for (const { annotations } of made) assert.doesNotMatch(annotations.description ?? '', /\$value\b|\$externalLabels/)
  })

  test('promtool understands every query', unless(missing('promtool')), async () => {
    const queries = made.map(({ title, data }) => ({
      record: `a:${title.replaceAll(/\W/g, '_')}`,
      expr: data[0]?.model.expr,
    }))
    const { code, stdout, stderr } = await checkRules(JSON.stringify({ groups: [{ name: 'queries', rules: queries }] }))
    assert.equal(code, 0, stdout + stderr)
  })
})
