/** The generated files: the committed files are what the code writes. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { generatedFiles } from '../../../dashboards/generate/files.ts'
import { DASHBOARDS } from '../../support/monitoring/dashboards.ts'

const files = Object.entries(generatedFiles())

for (const [path, content] of files) {
  test(`${path} is up to date`, () => {
    const advice = 'run `npm run dashboards` and commit the result'
    assert.equal(readFileSync(join(DASHBOARDS, path), 'utf8'), content, advice)
  })
}

test('dashboards/generated contains no other files', () => {
  const generated = files.map(([path]) => path).filter((path) => path.startsWith('generated/'))
  const names = generated.map((path) => path.replace('generated/', ''))
  assert.deepEqual(readdirSync(join(DASHBOARDS, 'generated')).toSorted(), names.toSorted(), 'remove the others')
})
