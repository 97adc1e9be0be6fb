/**
 * Tests mirror the sources: the test of <folder>/<file>.ts is test/<folder>/<file>.test.ts, or one file for each topic,
 * test/<folder>/<file>-<topic>.test.ts. A source file without a test of its own has a reason in WITHOUT_A_FILE.
 */
import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'

const ROOT = join(import.meta.dirname, '..')

const TYPES = 'exports only types'

const scenarios = (...topics: readonly string[]) =>
  `promtool plays its alerts in test/dashboards/alerts/alerts.test.ts: ${topics.map((topic) => `test/dashboards/alerts/scenarios/${topic}.ts`).join(', ')}; real incidents: test/dashboards/alerts/live.test.ts`

const DASHBOARD =
  'queries and panels of one dashboard. Layout, links and names: test/dashboards/boards/dashboards.test.ts; what the panels show: test/dashboards/boards/live.test.ts; the rules of Grafana: test/dashboards/boards/lint.test.ts'

const CHECK_STEP =
  'the steps of one command. Each fails in test/app/check/failures.test.ts and succeeds in test/app/check/check.test.ts'

const PAGE = 'a part of the page: test/status/page/page.test.ts; in a browser: test/status/page/browser.test.ts'

/**
 * The source files that have no test of their own: a path, or a folder that ends in `/`, with the tests that cover it
 * instead, or TYPES.
 */
const WITHOUT_A_FILE: Readonly<Record<string, string>> = {
  'app/check/steps/alerts.ts': CHECK_STEP,
  'app/check/steps/certificate.ts': CHECK_STEP,
  'app/check/steps/listeners.ts': CHECK_STEP,
  'app/check/upstream/mail.ts': CHECK_STEP,
  'app/check/steps/open-files.ts': CHECK_STEP,
  'app/check/steps/otlp.ts': CHECK_STEP,
  'app/check/output.ts': CHECK_STEP,
  'app/check/upstream/replies.ts': CHECK_STEP,
  'app/check/upstream/upstreams.ts': CHECK_STEP,
  'app/check/steps/step.ts': 'what a step is. How steps run: test/app/check/run.test.ts',

  'app/command-texts.ts':
    'texts of the help: test/app/main.test.ts; in the manual page: test/docs/generate/man-page.test.ts',

  'app/probe/secure.ts': 'TLS of a run: test/app/probe/run.test.ts',
  'app/probe/step-failed.ts': 'how a step of a run fails: test/app/probe/run.test.ts',

  'bundle/main.ts': 'writes what build.ts returns: test/bundle/build.test.ts',
  'bundle/replaced.ts':
    'the build fails if one is missing: test/bundle/build.test.ts; what they do: test/bundle/package.test.ts',
  'bundle/proxy.js': 'the first lines of the bundle: test/bundle/package.test.ts',
  'app/rehearsal-file.ts': 'one path, and undefined in the sources: test/app/rehearsal.test.ts',
  'proxy/server/worker-file.ts': 'one path: test/proxy/server/workers.test.ts',

  'status/moments.ts':
    'the latest of some times. What they decide: test/status/flow.test.ts; from events: test/status/feed.test.ts',
  'status/page/assets.ts': PAGE,
  'status/page/chart.ts': PAGE,
  'status/page/client.js': PAGE,
  'status/page/html.ts': PAGE,
  'status/page/routes.ts': PAGE,
  'status/page/tables.ts': PAGE,

  'proxy/events/dial.ts': TYPES,
  'proxy/events/loop-figures.ts': TYPES,
  'proxy/events/reply.ts': TYPES,
  'proxy/events/session-event.ts': TYPES,
  'proxy/events/transaction.ts': TYPES,
  'proxy/settings/config.ts': TYPES,
  'otel/records/records.ts': TYPES,
  'otel/settings/effective.ts': TYPES,

  'app/exit-code.ts': 'constants. The exit codes of the process: test/app/main.test.ts, test/app/check/check.test.ts',
  'proxy/events/closed-sets.ts': 'constants. Their form: test/otel/names/attributes.test.ts',
  'otel/names/records.ts': 'constants. What spans and lines have: test/otel/records/attributes.test.ts',
  'otel/names/value-meanings.ts':
    'constants: tsc requires a sentence for each value. Their form: test/docs/generate/metrics.test.ts',
  'otel/names/definition.ts': 'constants. Their use: test/otel/names/names.test.ts',
  'otel/names/values.ts': 'constants. Their form: test/otel/names/attributes.test.ts',

  // these three are one machine that needs both connections: the tests play whole sessions
  'proxy/session/session.ts':
    'from the client to the greeting: test/proxy/session/greeting.test.ts, test/proxy/session/greeting-refused.test.ts; to the relay: test/proxy/session/handover.test.ts; its timers: test/proxy/session/timers.test.ts; its drain: test/proxy/session/drain.test.ts, test/proxy/session/drain-pipelined.test.ts',
  'proxy/session/teardown.ts':
    'in every state of a message: test/proxy/session/disconnect.test.ts; early, refused, unsent: test/proxy/session/disconnect-early.test.ts, test/proxy/session/disconnect-refused.test.ts, test/proxy/session/disconnect-unsent.test.ts; races with writes: test/proxy/session/disconnect-race.test.ts; its bounds: test/proxy/connection/lingering.test.ts, test/proxy/session/timers.test.ts',
  'proxy/session/to-upstream.ts':
    'large bodies: test/proxy/session/bulk.test.ts, test/proxy/session/bulk-stalled.test.ts, test/proxy/session/bulk-chunks.test.ts; small pieces: test/proxy/session/small-pieces.test.ts; long lines and floods: test/proxy/session/bad-input.test.ts; what it holds back: test/proxy/session/drain-pipelined.test.ts',

  'dashboards/alerts/ahasend.ts': scenarios('account-disabled', 'temporary-failures', 'final-replies', 'certificates'),
  'dashboards/alerts/alerting.ts': scenarios('alerting'),
  'dashboards/alerts/apps.ts': scenarios('apps', 'credentials'),
  'dashboards/alerts/connections.ts': scenarios('connections'),
  'dashboards/alerts/error-budget.ts': scenarios('error-budget', 'excluded'),
  'dashboards/alerts/limits.ts': scenarios('limits'),
  'dashboards/alerts/outages.ts':
    'constants. They silence others in Alertmanager: test/dashboards/alertmanager/inhibition.test.ts; and in the error budget: test/dashboards/alerts/scenarios/error-budget.ts',
  'dashboards/alerts/probe.ts': scenarios('probe'),
  'dashboards/alerts/proxy-header.ts': scenarios('proxy-header', 'proxy-header-rollout'),
  'dashboards/alerts/proxy.ts': scenarios('proxy', 'resources', 'certificates'),
  'dashboards/alerts/refused.ts': scenarios('refused'),
  'dashboards/alerts/runbook.ts': 'one address. Each leads to a runbook: test/dashboards/alerts/runbooks.test.ts',
  'dashboards/alerts/tls.ts': scenarios('tls'),

  'dashboards/boards/limits/': DASHBOARD,
  'dashboards/boards/mail-health/': DASHBOARD,
  'dashboards/boards/proxy/': DASHBOARD,
  'dashboards/boards/refusals/': DASHBOARD,
  'dashboards/panels/colors.ts':
    'constants: tsc requires a colour for each value. The panels that use them: test/dashboards/generate/files.test.ts',
  'dashboards/panels/refusals.ts': 'one kind of panel of the dashboards: test/dashboards/boards/dashboards.test.ts',
  'dashboards/panels/variables.ts': 'the variables of the dashboards: test/dashboards/boards/lint.test.ts',
  'packaging/deb/contents.ts': 'the files of the package: test/packaging/deb/build.test.ts',
  'docs/generate/generate.ts': 'writes what pages.ts returns: test/docs/generate/pages.test.ts',
  'dashboards/alerts/actors.ts':
    'constants: tsc requires one for each alert. On the page: test/docs/generate/pages.test.ts',
  'charts/generate/generate.ts': 'writes what files.ts returns: test/charts/generate/files.test.ts',
  'charts/generate/value.ts': 'schemas of kinds of values. What Helm refuses: test/charts/mistakes.test.ts',
  'charts/generate/values.ts': 'the table of values. What they do: test/charts/templates.test.ts',
  'charts/generate/kubernetes-values.ts': 'the table of values. What they do: test/charts/templates.test.ts',
  'docs/generate/charts.ts': 'the table of values. On the page: test/docs/generate/pages.test.ts',
  'docs/generate/records.ts':
    'tables of the reference, with all spans and log lines: test/docs/generate/telemetry.test.ts',
  'docs/generate/alerts.ts': 'the page of alerts, without one: test/docs/generate/pages.test.ts',
  'dashboards/alertmanager/main.ts': 'a program: test/dashboards/alertmanager/alertmanager.test.ts',
  'dashboards/monitoring/main.ts': 'a program: test/dashboards/monitoring/folder.test.ts',
  'dashboards/generate/generate.ts': 'writes what files.ts returns: test/dashboards/generate/files.test.ts',
}

/** What is compared: paths from the root. */
interface Tree {
  readonly sources: readonly string[]
  /** All files in test/. */
  readonly tests: readonly string[]
  readonly reasons: Readonly<Record<string, string>>
}

function mirrorOf(source: string): string {
  return `test/${source.replace(/\.[jt]s$/, '')}.test.ts`
}

/** True if the source has a test of its own. A file that mirrors another source is not one of its topics. */
function hasTest(source: string, { sources, tests }: Tree): boolean {
  const mirror = mirrorOf(source)
  if (tests.includes(mirror)) return true
  const others = new Set(sources.map(mirrorOf))
  const topic = mirror.replace('.test.ts', '-')
  return tests.some((file) => file.startsWith(topic) && file.endsWith('.test.ts') && !others.has(file))
}

function isNamedBy(entry: string, source: string): boolean {
  return entry.endsWith('/') ? source.startsWith(entry) : source === entry
}

/** Every violation, as one sentence. */
function violations(tree: Tree): string[] {
  const { sources, tests, reasons } = tree
  const missing = sources
    .filter((source) => !hasTest(source, tree))
    .filter((source) => !Object.keys(reasons).some((entry) => isNamedBy(entry, source)))
    .map((source) => `${source}: ${mirrorOf(source)} does not exist, and WITHOUT_A_FILE has no reason`)
  const stale = Object.keys(reasons).flatMap((entry) => {
    const named = sources.filter((source) => isNamedBy(entry, source))
    if (named.length === 0) return [`${entry}: has a reason and does not exist`]
    const tested = named.filter((source) => hasTest(source, tree))
    return tested.map((source) => `${source}: has a test, and ${entry} still has a reason`)
  })
  const unproven = Object.entries(reasons).flatMap(([entry, reason]) => {
    const named = reason.match(/\btest\/[\w./-]+\.ts\b/g) ?? []
    if (named.length === 0 && reason !== TYPES) return [`${entry}: its reason names no test`]
    return named.filter((file) => !tests.includes(file)).map((file) => `${entry}: ${file} does not exist`)
  })
  return [...missing, ...stale, ...unproven]
}

const SOURCES = globSync(
  '{app,bundle,charts,status,proxy,settings,otel,dashboards,docs,packaging,release}/**/*.{ts,js}',
  {
    cwd: ROOT,
  },
)

test('every source file has a test of its own or a reason, and every reason is true', () => {
  assert.ok(SOURCES.length > 100, 'the sources are found')
  const tests = globSync('test/**/*.ts', { cwd: ROOT })
  assert.deepEqual(violations({ sources: SOURCES, tests, reasons: WITHOUT_A_FILE }), [])
})

test('a file that is listed as types only exports nothing else', () => {
  const listed = Object.entries(WITHOUT_A_FILE).flatMap(([file, reason]) => (reason === TYPES ? [file] : []))
  const guilty = listed.filter((file) => /^export (?!type |interface )/m.test(readFileSync(join(ROOT, file), 'utf8')))
  assert.deepEqual(guilty, [])
})

describe('A violation is found', () => {
  const tests = ['test/app/main.test.ts', 'test/app/drain-slow.test.ts', 'test/app/status-page.test.ts']
  const sources = ['app/main.ts', 'app/drain.ts', 'app/types.ts']
  const reasons = { 'app/types.ts': TYPES }
  const cases: readonly (readonly [what: string, tree: Partial<Tree>, found: readonly RegExp[]])[] = [
    ['none', {}, []],
    [
      'a source file without a test',
      { sources: [...sources, 'app/new.js'] },
      [/^app\/new\.js: test\/app\/new\.test\.ts/],
    ],
    [
      'a topic that is the test of another source file',
      { sources: [...sources, 'app/status.ts', 'app/status-page.ts'] },
      [/^app\/status\.ts: .* does not exist/],
    ],
    ['a reason for a tested file', { reasons: { ...reasons, 'app/main.ts': TYPES } }, [/^app\/main\.ts: has a test/]],
    ['a reason for a folder with tests', { reasons: { 'app/': TYPES } }, [/^app\/main\.ts/, /^app\/drain\.ts/]],
    ['a reason for no file', { reasons: { ...reasons, 'app/old.ts': TYPES } }, [/^app\/old\.ts: .* does not exist/]],
    ['a reason without a test', { reasons: { 'app/types.ts': 'simple' } }, [/^app\/types\.ts: .* names no test/]],
    [
      'a reason with a test that does not exist',
      { reasons: { 'app/types.ts': 'see test/app/old.test.ts' } },
      [/^app\/types\.ts: test\/app\/old\.test\.ts does not exist/],
    ],
  ]
  for (const [what, tree, found] of cases) {
    test(what, () => {
      const all = violations({ sources, tests, reasons, ...tree })
      assert.equal(all.length, found.length, all.join('\n'))
      for (const [index, expected] of found.entries()) assert.match(all[index]!, expected)
    })
  }
})
