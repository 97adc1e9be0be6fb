/** The generated dashboards: their layout, and that every metric, label, link and panel that they refer to exists. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { parse } from 'yaml'
import type { AlertName } from '../../../dashboards/alerts/alert.ts'
import { rulesOf } from '../../../dashboards/alerts/alerts.ts'
import { attributes, details, labelOf, spans } from '../../../otel/names/names.ts'
import {
  DASHBOARDS,
  groupingsIn,
  linksOf,
  type PanelJson,
  panelsOf,
  queriesOf,
  readDashboards,
  selectorsIn,
  TABLE,
} from '../../support/monitoring/dashboards.ts'

const dashboards = readDashboards()

/** More panels than this do not answer one question. */
const MOST_PANELS = 12

test('there are four dashboards with fixed uids, because links use them', () => {
  assert.deepEqual(
    dashboards.map(({ uid }) => uid),
    ['ahasend-limits', 'ahasend-mail-health', 'ahasend-proxy', 'ahasend-refusals'],
  )
})

test('the accepted share and the table of apps below it name their time ranges, which differ', () => {
  const queries = dashboards.flatMap(queriesOf)
  const titled = (title: string) => queries.find(({ where }) => where.includes(` / ${title} / `))?.expr ?? ''
  assert.match(titled('Accepted, 5 min'), /\[5m\]/)
  assert.match(titled('Apps, in the selected time range'), /\[\$__range\]/)
})

function overlap(one: PanelJson, other: PanelJson): boolean {
  const [a, b] = [one.gridPos, other.gridPos]
  return a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h
}

for (const dashboard of dashboards) {
  describe(dashboard.title, () => {
    const panels = panelsOf(dashboard)

    test('has at most twelve panels, each with its own id and title', () => {
      assert.ok(
        panels.length <= MOST_PANELS,
        `${panels.length} panels, at most ${MOST_PANELS}: remove one, show the metric in an existing panel, or use another dashboard`,
      )
      assert.equal(new Set(dashboard.panels.map(({ id }) => id)).size, dashboard.panels.length)
      assert.equal(new Set(panels.map(({ title }) => title)).size, panels.length)
    })

    test('places its panels within 24 columns, without overlap', () => {
      for (const [index, panel] of dashboard.panels.entries()) {
        assert.ok(panel.gridPos.x + panel.gridPos.w <= 24, panel.title)
        const others = dashboard.panels.slice(index + 1).filter((other) => overlap(panel, other))
        assert.deepEqual(
          others.map(({ title }) => title),
          [],
          panel.title,
        )
      }
    })

    test('begins with a question and a panel that answers Yes or No', () => {
      const [heading, answer] = dashboard.panels
      assert.match(`${heading?.title}`, /\?$/)
      assert.match(JSON.stringify(answer?.fieldConfig), /"text":"(Yes|No)"/)
    })

    test('uses only metrics and labels of the table', () => {
      for (const { where, expr } of queriesOf(dashboard)) assertKnown(where, expr)
      for (const { name, query } of dashboard.templating.list) assertKnown(name, query)
    })

    test('names data sources only as defaults of variables', () => {
      const { templating: _, ...rest } = dashboard
      const uids = [...JSON.stringify(rest).matchAll(/"uid":"([^"]*)"/g)].map(([, uid]) => uid)
      assert.deepEqual(
        [...new Set(uids)].filter((uid) => uid !== dashboard.uid && !uid?.startsWith('$')),
        [],
      )
    })
  })
}

/** Labels that a Collector adds. */
const COLLECTOR_LABELS = ['otel_scope_name', 'otel_scope_version', 'otel_scope_schema_url']

/** Fails unless each metric has the labels of its selector, and each grouping is a label of one of the metrics. */
function assertKnown(where: string, expr: string): void {
  const labels = new Set(['job', 'instance', ...COLLECTOR_LABELS])
  for (const { metric, name, labels: used } of selectorsIn(expr)) {
    const definition = TABLE.get(metric)
    assert.ok(definition, `${where}: there is no metric ${name}`)
    const known = ['job', 'instance', ...definition.attributes.map((key) => labelOf(key))]
    if (name.endsWith('_bucket')) known.push('le')
    for (const label of used) assert.ok(known.includes(label), `${where}: ${name} has no label ${label}`)
    for (const label of known) labels.add(label)
  }
  for (const label of groupingsIn(expr))
    assert.ok(labels.has(label), `${where}: no metric of the query has a label ${label}`)
}

test('annotations use only labels that all of them have, because Grafana shows the name of a missing label', () => {
  const always = { Restarts: ['instance'], Alerts: ['alertname', 'severity'] } as const
  for (const { annotations } of dashboards)
    for (const { name, titleFormat, textFormat } of annotations.list) {
      const named = [...`${titleFormat} ${textFormat}`.matchAll(/\{\{(\w+)\}\}/g)].map(([, label]) => label)
      for (const label of named) assert.ok((always[name as keyof typeof always] as readonly unknown[]).includes(label))
    }
})

describe('links', () => {
  const links = dashboards.flatMap((dashboard) =>
    panelsOf(dashboard).flatMap((panel) =>
      linksOf(panel).map(({ title, url = '' }) => ({ where: `${dashboard.title} / ${panel.title} / ${title}`, url })),
    ),
  )
  const beginningWith = (start: string) => links.filter(({ url }) => url.startsWith(start))

  test('lead only to traces, runbooks and dashboards', () => {
    const known = ['/explore?', '/d/', 'https://github.com/AhaSend/ahasend-smtp-proxy/blob/main/dashboards/runbooks/']
    for (const start of known) assert.notEqual(beginningWith(start).length, 0, start)
    assert.deepEqual(
      links.filter(({ url }) => !known.some((start) => url.startsWith(start))),
      [],
    )
  })

  test('to runbooks lead to an existing file', () => {
    const missing = beginningWith('https:').filter(({ url }) => {
      return !existsSync(join(DASHBOARDS, 'runbooks', url.split('/').at(-1) ?? ''))
    })
    assert.deepEqual(missing, [])
  })

  test('to dashboards lead to an existing one', () => {
    for (const { where, url } of beginningWith('/d/')) {
      const uid = /^\/d\/([^?]+)\?/.exec(url)?.[1]
      assert.ok(
        dashboards.some((dashboard) => dashboard.uid === uid),
        where,
      )
    }
  })

  for (const { where, url } of beginningWith('/explore?')) {
    test(`${where} is a TraceQL query that Explore can read`, () => {
      assertTraceql(traceqlOf(url))
    })

    test(`${where} is the same query if Grafana decodes the URL a second time`, () => {
      assert.equal(traceqlOf(decodeURIComponent(url)), traceqlOf(url))
    })
  }
})

/** Explore's query after Grafana has replaced the variables. Throws if the parameter is not JSON. */
function traceqlOf(url: string): string {
  const filled = url.replaceAll(/\$\{[^}]*\}/g, '250')
  const panes = new URL(filled, 'http://grafana').searchParams.get('panes') ?? ''
  const { traces } = JSON.parse(panes) as {
    readonly traces: {
      readonly queries: readonly { readonly query: string; readonly queryType: string }[]
      readonly range: Readonly<Record<string, string>>
    }
  }
  assert.deepEqual(traces.range, { from: '250', to: '250' })
  assert.equal(traces.queries[0]?.queryType, 'traceql')
  return traces.queries[0].query
}

/** Fails unless the query is spans in braces, joined by &&, with names and attributes of the proxy's spans. */
function assertTraceql(query: string): void {
  assert.match(query, /^\{ [^{}]+ \}( && \{ [^{}]+ \})*$/)
  const conditions = query.split(/[{}]|&&/).map((part) => part.trim())
  for (const condition of conditions.filter(Boolean)) {
    const [, left = '', right = ''] = /^(\S+) (?:=~|=|!=|>=|>) ("[^"]*"|[\w.]+)$/.exec(condition) ?? []
    if (left === 'name') assert.ok(Object.values<string>(spans).includes(JSON.parse(right)), condition)
    else if (left.startsWith('span.')) assert.ok(left.slice(5) in { ...attributes, ...details }, condition)
    else assert.match(condition, /^(status = error|duration > \d+m?s)$/)
  }
}

/** Alerts without a panel. */
const ABOUT_ALERTING: readonly AlertName[] = ['SmtpProxyAlertsNotDelivered', 'SmtpProxyWatchdog']

test('every alert names an existing panel with a link to its runbook', () => {
  for (const { name, panel } of rulesOf({}).alerts) {
    assert.equal(panel === undefined, ABOUT_ALERTING.includes(name), `${name}: set \`panel\` in dashboards/alerts`)
    if (panel === undefined) continue
    const [uid, title] = panel
    const found = dashboards.filter((one) => one.uid === uid).flatMap(panelsOf)
    const shown = found.find((one) => one.title === title)
    assert.ok(shown, `${name}: ${uid} has no panel "${title}"`)
    assert.ok(
      linksOf(shown).some(({ title: link }) => link === `Runbook: ${name}`),
      `panel "${title}" of ${uid} needs runbookLink('${name}') in dashboards/boards`,
    )
  }
})

describe('provisioning', () => {
  const read = (path: string) => parse(readFileSync(join(DASHBOARDS, 'provisioning', path), 'utf8')) as unknown

  test('gives data sources the uids that are the defaults of the variables', () => {
    const { datasources } = read('datasources/ahasend.yaml') as {
      readonly datasources: readonly { readonly uid: string; readonly type: string }[]
    }
    const uids = new Map(datasources.map(({ uid, type }) => [type, uid]))
    for (const { type, query, current } of dashboards.flatMap(({ templating }) => templating.list)) {
      if (type === 'datasource') assert.equal(uids.get(query), current.value)
    }
  })

  test('loads the generated dashboards as read-only', () => {
    const { providers } = read('dashboards/ahasend.yaml') as {
      readonly providers: readonly { readonly allowUiUpdates: boolean; readonly options: { readonly path: string } }[]
    }
    const [provider] = providers
    assert.equal(provider?.allowUiUpdates, false)
    const root = join(DASHBOARDS, '..')
    const [compose, dockerfile] = ['compose.yaml', 'Dockerfile'].map((name) => readFileSync(join(root, name), 'utf8'))
    const mounted = /^( +)- monitoring-settings:(.+):ro\n\1- grafana-data:/m.exec(compose ?? '')?.[2]
    const [, folder] =
      /^COPY dashboards\/generated\/\*\.json \/image\/app\/monitoring(\/.+)\/$/m.exec(dockerfile ?? '') ?? []
    assert.equal(provider.options.path, `${mounted}${folder}`)
  })
})
