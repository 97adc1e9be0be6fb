import assert from 'node:assert/strict'
import { test } from 'node:test'
import { metrics } from '../otel/names/names.ts'
import { readEnvExample, withSettings } from './support/docs/env-example.ts'
import { readReadme, withGeneratedParts } from './support/docs/readme.ts'

test('the generated parts of the README are up to date (npm run readme)', () => {
  const readme = readReadme()
  assert.equal(withGeneratedParts(readme), readme)
})

test('the generated part of .env.example is up to date (npm run readme)', () => {
  const example = readEnvExample()
  assert.equal(withSettings(example), example)
})

test('the README explains every metric of the proxy', () => {
  const readme = readReadme()
  const names = Object.values(metrics).map(({ prometheus }) => prometheus)
  const missing = names.filter((name) => !readme.includes(`\`${name}\``))
  assert.deepEqual(missing, [], 'add a row to the table below "### Metrics" in README.md')
})
