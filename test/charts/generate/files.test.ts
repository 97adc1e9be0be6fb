/** The generated files of the chart: the committed files are what the code writes. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { parse } from 'yaml'
import { CHART, chartFiles } from '../../../charts/generate/files.ts'
import packageJson from '../../../package.json' with { type: 'json' }
import { DASHBOARDS } from '../../support/monitoring/dashboards.ts'

const files = chartFiles()

for (const [path, content] of Object.entries(files)) {
  test(`${path} is up to date`, () => {
    assert.equal(readFileSync(join(CHART, path), 'utf8'), content, 'run `npm run charts` and commit the result')
  })
}

test('the version of the chart and of the image is that of the project', () => {
  const { version, appVersion } = parse(files['Chart.yaml'] ?? '') as Record<string, string>
  assert.deepEqual([version, appVersion], [packageJson.version, packageJson.version])
})

test('the folder `files` contains every dashboard and the rules, and nothing else', () => {
  const inChart = readdirSync(join(CHART, 'files'), { recursive: true }).map(String)
  const wanted = readdirSync(join(DASHBOARDS, 'generated')).filter((name) => name !== 'grafana-alerts.yaml')
  assert.deepEqual(
    inChart.filter((name) => name !== 'dashboards').toSorted(),
    wanted.map((name) => (name.endsWith('.json') ? `dashboards/${name}` : name)).toSorted(),
  )
})
