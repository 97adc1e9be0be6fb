/** The chart as a whole: Helm's linter, Kubernetes' schemas, and Prometheus accept what it renders. */
import assert from 'node:assert/strict'
import { copyFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { stringify } from 'yaml'
import { run } from '../clients/command.ts'
import { assertValidRules } from '../dashboards/alerts/scenarios/promtool.ts'
import { CHART, helm, rendered, renderedText, type Values } from '../support/charts/helm.ts'
import { EVERYTHING, MATRIX } from '../support/charts/matrix.ts'
import { FILE_TEMPLATE, manifestSchemas } from '../support/charts/schemas.ts'
import { temporaryDirectory, writeTemporaryFiles } from '../support/files/temporary-files.ts'
import { fileOf, missing, unless } from '../support/programs/programs.ts'

const needsPrograms = unless(missing('helm'), missing('kubeconform'))

/** What kubeconform says about manifests; empty if they follow the schemas. A kind without a schema is a mistake. */
async function violations(manifests: string): Promise<string> {
  const schemas = writeTemporaryFiles(manifestSchemas())
  const input = writeTemporaryFiles({ 'manifests.yaml': manifests })
  try {
    const location = join(schemas.directory, FILE_TEMPLATE)
    const args = ['-strict', '-schema-location', location, input.paths['manifests.yaml']]
    const { code, stdout, stderr } = await run({ file: fileOf('kubeconform'), args, env: {} })
    if (code !== 0) assert.notEqual(stdout + stderr, '')
    return stdout + stderr
  } finally {
    schemas.remove()
    input.remove()
  }
}

for (const [what, values] of Object.entries(MATRIX)) {
  test(`with ${what}, the linter and the schemas of Kubernetes accept the chart`, needsPrograms, async () => {
    const { code, stdout } = await helm(['lint', '--strict', CHART], values)
    assert.equal(code, 0, stdout)
    assert.equal(await violations(await renderedText(values)), '')
  })
}

describe('The schemas find', needsPrograms, () => {
  const rendering = async (from: string, to: string, values: Values = {}) => {
    const text = await renderedText(values)
    assert.ok(text.includes(from), `${from} is rendered`)
    return violations(text.replace(from, to))
  }

  test('a field that does not exist', async () => {
    assert.match(await rendering('minReadySeconds:', 'minReadySecond:'), /additional properties 'minReadySecond'/)
  })

  test('a number that is a text', async () => {
    assert.match(await rendering('replicas: 2', 'replicas: "2"'), /got string, want integer/)
  })

  test('a field of the Prometheus operator that does not exist', async () => {
    const values = { monitor: { enabled: true } }
    assert.match(
      await rendering('podMetricsEndpoints:', 'podEndpoints:', values),
      /additional properties 'podEndpoints' not allowed/,
    )
  })

  test('a kind that they do not contain', async () => {
    assert.match(await rendering('kind: ServiceAccount', 'kind: Ingress'), /could not find schema for Ingress/)
  })
})

test('Prometheus accepts the rules, with their templates', unless(missing('helm'), missing('promtool')), async () => {
  const release = await rendered({ prometheusRule: { enabled: true } })
  const text = stringify(release.one('PrometheusRule').spec)
  assert.match(text, /\{\{ \$labels\.instance \}\}/)
  await assertValidRules(text)
})

test('a packaged chart contains everything that it needs', needsPrograms, async () => {
  using directory = temporaryDirectory()
  const { code, stderr } = await run({
    file: fileOf('helm'),
    args: ['package', CHART, '--destination', directory.path],
    env: { HOME: directory.path },
  })
  assert.equal(code, 0, stderr)
  const [archive = ''] = readdirSync(directory.path).filter((name) => name.endsWith('.tgz'))
  copyFileSync(join(directory.path, archive), join(directory.path, 'chart.tgz'))
  assert.equal(await renderedText(EVERYTHING, join(directory.path, 'chart.tgz')), await renderedText(EVERYTHING))
})
