/** The dashboards as files: what is committed is what the code writes, and everything they name exists. */
import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { parse } from 'yaml'
import type { AlertName } from '../../../dashboards/alerts/alert.ts'
import { rulesOf } from '../../../dashboards/alerts/alerts.ts'
import { generatedFiles } from '../../../dashboards/generate/files.ts'
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
} from '../../support/dashboards.ts'

const dashboards = readDashboards()

describe('generated', () => {
  for (const [path, content] of Object.entries(generatedFiles())) {
    test(`${path} is what the code writes`, () => {
      assert.equal(
        readFileSync(join(DASHBOARDS, path), 'utf8'),
        content,
        'npm run dashboards, and commit what it writes',
      )
    })
  }

  test('nothing else lies there', () => {
    const paths = Object.keys(generatedFiles()).filter((path) => path.startsWith('generated/'))
    const known = paths.map((path) => path.replace('generated/', ''))
    assert.deepEqual(readdirSync(join(DASHBOARDS, 'generated')).toSorted(), known.toSorted())
  })
})

test('there are four dashboards, under the uids that links rest on', () => {
  assert.deepEqual(
    dashboards.map(({ uid }) => uid),
    ['ahasend-limits', 'ahasend-mail-health', 'ahasend-proxy', 'ahasend-refusals'],
  )
})

function overlap(one: PanelJson, other: PanelJson): boolean {
  const [a, b] = [one.gridPos, other.gridPos]
  return a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h
}

for (const dashboard of dashboards) {
  describe(dashboard.title, () => {
    const panels = panelsOf(dashboard)

    test('has a dozen panels at most, each with an id and a title of its own', () => {
      assert.ok(panels.length <= 12, `${panels.length} panels`)
      assert.equal(new Set(dashboard.panels.map(({ id }) => id)).size, dashboard.panels.length)
      assert.equal(new Set(panels.map(({ title }) => title)).size, panels.length)
    })

    test('has its panels beside and below each other, inside the 24 columns', () => {
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

    test('asks a question first, and answers it with a word', () => {
      const [heading, answer] = dashboard.panels
      assert.match(`${heading?.title}`, /\?$/)
      assert.match(JSON.stringify(answer?.fieldConfig), /"text":"(Yes|No)"/)
    })

    test('asks for metrics and labels of the table only', () => {
      for (const { where, expr } of queriesOf(dashboard)) assertKnown(where, expr)
      for (const { name, query } of dashboard.templating.list) assertKnown(name, query)
    })

    test('names a data source nowhere but as a default of a variable', () => {
      const { templating: _, ...rest } = dashboard
      const uids = [...JSON.stringify(rest).matchAll(/"uid":"([^"]*)"/g)].map(([, uid]) => uid)
      assert.deepEqual(
        [...new Set(uids)].filter((uid) => uid !== dashboard.uid && !uid?.startsWith('$')),
        [],
      )
    })
  })
}

/** Labels that a Collector adds to what it hands on. */
const BY_A_COLLECTOR = ['otel_scope_name', 'otel_scope_version', 'otel_scope_schema_url']

/** Every selector's metric has its labels, and what is grouped by is a label of one of them. */
function assertKnown(where: string, expr: string): void {
  const labels = new Set(['job', 'instance', ...BY_A_COLLECTOR])
  for (const { metric, name, labels: asked } of selectorsIn(expr)) {
    const definition = TABLE.get(metric)
    assert.ok(definition, `${where}: there is no metric ${name}`)
    const known = ['job', 'instance', ...definition.attributes.map((key) => labelOf(key))]
    if (name.endsWith('_bucket')) known.push('le')
    for (const label of asked) assert.ok(known.includes(label), `${where}: ${name} has no label ${label}`)
    for (const label of known) labels.add(label)
  }
  for (const label of groupingsIn(expr)) assert.ok(labels.has(label), `${where}: nothing there has a label ${label}`)
}

test('marks name labels that every mark has; Grafana leaves the name of any other as it is', () => {
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

  test('lead to traces, runbooks and dashboards, and nowhere else', () => {
    const known = ['/explore?', '/d/', 'https://github.com/AhaSend/ahasend-smtp-proxy/blob/main/dashboards/runbooks/']
    for (const start of known) assert.notEqual(beginningWith(start).length, 0, start)
    assert.deepEqual(
      links.filter(({ url }) => !known.some((start) => url.startsWith(start))),
      [],
    )
  })

  test('to runbooks end at a file', () => {
    const missing = beginningWith('https:').filter(({ url }) => {
      return !existsSync(join(DASHBOARDS, 'runbooks', url.split('/').at(-1) ?? ''))
    })
    assert.deepEqual(missing, [])
  })

  test('to dashboards end at one', () => {
    for (const { where, url } of beginningWith('/d/')) {
      const uid = /^\/d\/([^?]+)\?/.exec(url)?.[1]
      assert.ok(
        dashboards.some((dashboard) => dashboard.uid === uid),
        where,
      )
    }
  })

  for (const { where, url } of beginningWith('/explore?')) {
    test(`${where} is a query of traces that Explore can read`, () => {
      assertTraceql(traceqlOf(url))
    })

    test(`${where} is the same query where Grafana decodes the address once more`, () => {
      assert.equal(traceqlOf(decodeURIComponent(url)), traceqlOf(url))
    })
  }
})

/** Explore's query once Grafana has filled in the variables. Throws when that is no JSON. */
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

/** Spans in braces, joined by &&; each attribute and each name is one that the proxy's spans have. */
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

/** No dashboard shows it. */
const ABOUT_ALERTING: readonly AlertName[] = ['SmtpProxyAlertsNotDelivered', 'SmtpProxyWatchdog']

test('every alert names a panel that exists and leads to its runbook', () => {
  for (const { name, panel } of rulesOf({}).alerts) {
    assert.equal(panel === undefined, ABOUT_ALERTING.includes(name), name)
    if (panel === undefined) continue
    const [uid, title] = panel
    const found = dashboards.filter((one) => one.uid === uid).flatMap(panelsOf)
    const shown = found.find((one) => one.title === title)
    assert.ok(shown, `${name}: ${uid} has no panel "${title}"`)
    assert.ok(
      linksOf(shown).some(({ title: link }) => link === `Runbook: ${name}`),
      `${uid}, "${title}" has no link to the runbook of ${name}`,
    )
  }
})

describe('provisioning', () => {
  const read = (path: string) => parse(readFileSync(join(DASHBOARDS, 'provisioning', path), 'utf8')) as unknown

  test('gives data sources the uids that variables begin with', () => {
    const { datasources } = read('datasources/ahasend.yaml') as {
      readonly datasources: readonly { readonly uid: string; readonly type: string }[]
    }
    const uids = new Map(datasources.map(({ uid, type }) => [type, uid]))
    for (const { type, query, current } of dashboards.flatMap(({ templating }) => templating.list)) {
      if (type === 'datasource') assert.equal(uids.get(query), current.value)
    }
  })

  test('loads the generated dashboards, and lets nobody change them', () => {
    const { providers } = read('dashboards/ahasend.yaml') as {
      readonly providers: readonly { readonly allowUiUpdates: boolean; readonly options: { readonly path: string } }[]
    }
    const [provider] = providers
    assert.equal(provider?.allowUiUpdates, false)
    const compose = readFileSync(join(DASHBOARDS, '..', 'compose.yaml'), 'utf8')
    assert.ok(
      compose.includes(`./dashboards/generated:${provider.options.path}:ro`),
      'compose.yaml mounts them elsewhere',
    )
  })
})
