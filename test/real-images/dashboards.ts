/**
 * The dashboards in the oldest and the newest supported Grafana: provisioned as in compose.yaml, and imported by hand.
 * Skipped where an image is not available.
 */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { GenericContainer, type StartedTestContainer, Wait } from 'testcontainers'
import { rulesOf } from '../../dashboards/alerts/alerts.ts'
import { IMAGES, imageMissing } from '../support/containers/engine.ts'
import { DASHBOARDS, type DashboardJson, panelsOf, readDashboards } from '../support/monitoring/dashboards.ts'

const OLDEST = process.env.OLDEST_GRAFANA_IMAGE ?? 'grafana/grafana:10.4.19'

const dashboards = readDashboards()

interface Found {
  readonly uid: string
  readonly folderTitle: string
}

interface Rule {
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
}

async function startGrafana(image: string): Promise<StartedTestContainer> {
  const copied = (source: string, target: string) => ({ source: join(DASHBOARDS, source), target })
  return await new GenericContainer(image)
    .withCopyDirectoriesToContainer([
      copied('provisioning', '/etc/stack/provisioning'),
      copied('generated', '/etc/stack/dashboards'),
    ])
    .withCopyFilesToContainer([
      copied('generated/grafana-alerts.yaml', '/etc/stack/provisioning/alerting/ahasend.yaml'),
    ])
    .withEnvironment({
      GF_ANALYTICS_REPORTING_ENABLED: 'false',
      GF_PATHS_PROVISIONING: '/etc/stack/provisioning',
      GF_PLUGINS_PREINSTALL_DISABLED: 'true',
    })
    .withExposedPorts(3000)
    .withWaitStrategy(Wait.forHttp('/api/health', 3000))
    .start()
}

for (const image of [OLDEST, IMAGES.GRAFANA_IMAGE]) {
  // an image of Grafana may be unavailable in CI, so the tests are skipped there, too
  const needs = { skip: imageMissing(image) ?? false }

  describe(image, () => {
    let container: StartedTestContainer

    before(async () => {
      if (!needs.skip) container = await startGrafana(image)
    })
    after(() => container?.stop())

    async function ask<Answer>(path: string, body?: unknown): Promise<Answer> {
      const url = `http://${container.getHost()}:${container.getMappedPort(3000)}/api/${path}`
      const authorization = `Basic ${Buffer.from('admin:admin').toString('base64')}`
      const headers = { authorization, 'content-type': 'application/json' }
      const post = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }
      const response = await fetch(url, { headers, ...post })
      const text = await response.text()
      assert.ok(response.ok, `${path}: ${response.status} ${text}`)
      return JSON.parse(text) as Answer
    }

    async function read(uid: string): Promise<DashboardJson> {
      return (await ask<{ readonly dashboard: DashboardJson }>(`dashboards/uid/${uid}`)).dashboard
    }

    test('shows all four dashboards in their folder', needs, async () => {
      const found = await ask<readonly Found[]>('search?type=dash-db')
      assert.deepEqual(found.map(({ uid }) => uid).sort(), dashboards.map(({ uid }) => uid).sort())
      assert.deepEqual([...new Set(found.map(({ folderTitle }) => folderTitle))], ['AhaSend SMTP proxy'])
    })

    test('has the default data sources of the dashboards', needs, async () => {
      for (const uid of ['prometheus', 'tempo', 'alertmanager'])
        assert.equal((await ask<{ readonly uid: string }>(`datasources/uid/${uid}`)).uid, uid)
    })

    test('loads the Grafana-managed alerts, each with its labels and its panel', needs, async () => {
      const rules = await ask<readonly Rule[]>('v1/provisioning/alert-rules')
      const found = rules.map(({ labels, annotations }) => [
        labels.alert,
        labels.severity,
        annotations.__dashboardUid__,
      ])
      // alerts about alerting itself have no panel, and are not managed by Grafana
      const wanted = rulesOf().alerts.flatMap(({ name, severity, panel }) =>
        panel ? [[name, severity, panel[0]]] : [],
      )
      assert.deepEqual(found.sort(), wanted.sort())
    })

    for (const dashboard of dashboards) {
      test(`loads ${dashboard.title} with every panel`, needs, async () => {
        const titles = (one: DashboardJson) => panelsOf(one).map(({ title }) => title)
        assert.deepEqual(titles(await read(dashboard.uid)), titles(dashboard))
      })

      test(`imports ${dashboard.title} by hand`, needs, async () => {
        const uid = `by-hand-${dashboard.uid}`
        const mine = { ...dashboard, uid, title: `${dashboard.title} (by hand)` }
        await ask('dashboards/db', { dashboard: mine, overwrite: true })
        assert.equal(panelsOf(await read(uid)).length, panelsOf(dashboard).length)
      })
    }
  })
}
