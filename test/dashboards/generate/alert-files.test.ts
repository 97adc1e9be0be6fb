/** The rule file for Prometheus: complete, with consistent names, and only with metrics and labels that exist. */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { alertNames } from '../../../dashboards/alerts/alert.ts'
import { rulesOf } from '../../../dashboards/alerts/alerts.ts'
import { prometheusRules } from '../../../dashboards/generate/alert-files.ts'
import { labelOf } from '../../../otel/names/names.ts'
import { run } from '../../clients/command.ts'
import { DASHBOARDS, groupingsIn, selectorsIn, TABLE } from '../../support/monitoring/dashboards.ts'
import { fileOf, missing, unless } from '../../support/programs/programs.ts'
import { assertValidRules, firedIn, generatedGroups, type Rule } from '../alerts/scenarios/promtool.ts'

const rules = generatedGroups().flatMap((group) => group.rules)
const alerts = rules.filter((rule) => rule.alert !== undefined)

test('promtool accepts the rules', unless(missing('promtool')), () => assertValidRules(prometheusRules()))

test('promtool accepts prometheus.yml', unless(missing('promtool')), async () => {
  const file = join(DASHBOARDS, '..', 'otel', 'stack', 'prometheus.yml')
  const { code, stdout, stderr } = await run({
    file: fileOf('promtool'),
    args: ['check', 'config', '--syntax-only', file],
    env: {},
  })
  assert.equal(code, 0, stdout + stderr)
})

test('every alert name has a rule, and every rule has an alert name', () => {
  const advice = 'add the missing rule in dashboards/alerts, or the missing name in dashboards/alerts/alert.ts'
  assert.deepEqual(new Set(alerts.map(({ alert }) => alert)), new Set(alertNames), advice)
})

describe('every alert', () => {
  const each = (check: (rule: Required<Rule>, where: string) => void) => () => {
    for (const rule of alerts) check(rule as Required<Rule>, `${rule.alert} (${rule.labels?.severity})`)
  }

  test('has a name that is a sentence in CamelCase', () => {
    for (const name of alertNames) assert.match(name, /^(AhaSend|SmtpProxy)([A-Z][a-z]+)+$/)
  })

  test(
    'exists once for each severity',
    each(({ alert, labels }, where) => {
      const same = alerts.filter((other) => other.alert === alert && other.labels?.severity === labels.severity)
      assert.equal(same.length, 1, where)
      assert.match(labels.severity, /^(critical|warning|info|none)$/, where)
    }),
  )

  test(
    'states how long it waits',
    each((rule, where) => assert.match(rule.for, /^(0s|\d+[mh])$/, where)),
  )

  test(
    'has a constant summary and a description with values',
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
    'describes itself only with labels that it has',
    each(({ annotations, expr }, where) => {
      const used = rules.filter(({ record }) => record !== undefined && expr.includes(record))
      const kept = [expr, ...used.map((rule) => rule.expr)].map((text) => text.replaceAll(/ignoring \([^)]*\)/g, ''))
      const groupings = new Set(['job', 'instance', ...kept.flatMap(groupingsIn)])
      for (const [, label = ''] of annotations.description.matchAll(/\$labels\.(\w+)/g))
        assert.ok(groupings.has(label), `${where}: ${label}`)
    }),
  )
})

/** The names of the recordings. */
const recorded = new Set(rules.flatMap(({ record }) => record ?? []))

test('every recording that a rule uses exists, and every recording is used', () => {
  const used = new Set(rules.flatMap(({ expr }) => expr.match(/\b\w+:\w+:\w+/g) ?? []))
  assert.deepEqual(used, recorded)
})

/** Metrics of other programs, with their purpose. */
const OF_OTHERS: Readonly<Record<string, string>> = {
  up: 'Prometheus: whether it scrapes a target',
  ALERTS: 'Prometheus: the alerts that fire',
  alertmanager_notifications_failed_total:
    'Alertmanager: failed notifications (test/dashboards/alertmanager/undelivered.test.ts)',
}

test('rules use only metrics and labels of the table, and never a single bucket of a histogram', () => {
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

test('alerts that a rule looks up in ALERTS exist, and those about AhaSend are evaluated before the rule', () => {
  const dependent = rules.filter(({ expr }) => firedIn(expr).length > 0)
  assert.deepEqual(
    dependent.map(({ alert, labels }) => `${alert} ${labels?.severity}`),
    ['SmtpProxyErrorBudgetBurning critical', 'SmtpProxyProxyHeaderInvalid critical'],
  )
  for (const rule of dependent)
    for (const name of firedIn(rule.expr)) {
      const named = rules.findIndex(({ alert, labels }) => alert === name && labels?.severity === 'critical')
      assert.ok(named >= 0, name)
      if (name.startsWith('AhaSend')) assert.ok(named < rules.indexOf(rule), name)
    }
})

test('timeScale changes nothing but times', () => {
  const shape = (text: string) =>
    text
      .replaceAll(/(\[|offset |for: |interval: )(?:\d+(?:ms|[smhd]))+/g, '$1T')
      .replaceAll(/(\[T:)(?:\d+(?:ms|[smhd]))+\]/g, '$1T]')
      .replaceAll(/(uptime_seconds) < [\d.]+/g, '$1 < T')
  assert.equal(shape(prometheusRules({ timeScale: 1 / 60 })), shape(prometheusRules()))
  assert.notEqual(prometheusRules({ timeScale: 1 / 60 }), prometheusRules())
})
