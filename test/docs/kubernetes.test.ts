/** The values on the page about Kubernetes: the chart accepts them, alone and all together. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parse } from 'yaml'
import { needsHelm, rendered, type Values } from '../support/charts/helm.ts'
import { readDocument } from '../support/docs/documents.ts'

const page = readDocument('docs/kubernetes.md')
const blocks = [...page.matchAll(/^```yaml\n([\s\S]*?)^```/gm)].map(([, text = '']) => parse(text) as Values)
const examples = blocks.filter((block) => !('apiVersion' in block))

test('the page has examples', () => assert.ok(examples.length >= 5))

for (const values of examples) {
  test(`the chart accepts the example with ${Object.keys(values).join(', ')}`, needsHelm, async () => {
    assert.ok((await rendered(values)).container())
  })
}

test('the chart accepts all examples together', needsHelm, async () => {
  const settings = Object.assign({}, ...examples.map((values) => values.settings))
  const release = await rendered({ ...Object.assign({}, ...examples), settings })
  assert.equal(release.settings().PROXY_CLIENTS, 'billing=10.1.0.0/16,shop=10.2.0.0/16')
})

test('the times on the page are those of the chart', needsHelm, async () => {
  const pod = (await rendered()).pod()
  assert.ok(page.includes(`is the sum, ${pod.terminationGracePeriodSeconds} s.`))
  assert.ok(page.includes(`| ${pod.containers[0].lifecycle.preStop.sleep.seconds} s (\`preStopSleepSeconds\`) |`))
})
