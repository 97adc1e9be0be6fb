import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readReadme, withGeneratedParts } from './support/readme.ts'

test('the generated parts of the README are up to date (npm run readme)', () => {
  const readme = readReadme()
  assert.equal(withGeneratedParts(readme), readme)
})
