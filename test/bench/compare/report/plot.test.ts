/** The report as a picture, and where reports go. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { withResults, writeReports } from '../../../../bench/compare/report/files.ts'
import { plotOf } from '../../../../bench/compare/report/plot.ts'
import { temporaryDirectory } from '../../../support/files/temporary-files.ts'
import { RESULTS } from './example.ts'

describe('the picture', () => {
  const svg = plotOf(RESULTS)

  test('has a bar with its value for each measured contender', () => {
    assert.match(svg, /^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg" viewBox="0 0 920 \d+"/)
    assert.equal(svg.match(/<rect/g)?.length, 4) // W1: prototype and ours; W5: direct and ours
    assert.match(svg, /class="ours"/)
    assert.match(svg, />1\.60<\/text>/)
  })

  test('follows a dark theme and escapes what it shows', () => {
    assert.match(svg, /prefers-color-scheme: dark/)
    assert.match(svg, /Test &lt;CPU&gt;/)
  })

  test('cuts bars that would make the others too short', () => {
    const [first] = RESULTS.series[1]!.samples
    const slow = { ...RESULTS.series[1]!, contender: 'haraka', samples: [{ ...first!, cpuMsPerMessage: 50 }] }
    const changed = plotOf({ ...RESULTS, series: [...RESULTS.series, slow] })
    assert.match(changed, />50\.0 \(cut\)<\/text>/)
    assert.equal(changed.match(/\(cut\)/g)?.length, 1)
  })

  test('is valid without any measurement', () => {
    assert.match(plotOf({ ...RESULTS, series: [] }), /<\/svg>\n$/)
  })
})

test('reports are written as Markdown, JSON and SVG', () => {
  using folder = temporaryDirectory()
  writeReports(RESULTS, { out: folder.path, docs: false })
  assert.deepEqual(
    JSON.parse(readFileSync(join(folder.path, 'bench.json'), 'utf8')),
    JSON.parse(JSON.stringify(RESULTS)),
  )
  assert.match(readFileSync(join(folder.path, 'bench.md'), 'utf8'), /W1/)
  assert.match(readFileSync(join(folder.path, 'bench.svg'), 'utf8'), /<svg/)
})

describe('docs/performance.md', () => {
  const page = readFileSync(join(import.meta.dirname, '../../../../docs/performance.md'), 'utf8')

  test('has the marks between which the newest results go, and links the picture', () => {
    const changed = withResults(page, 'NEW')
    assert.match(changed, /\n\nNEW\n\n<!-- results: end -->/)
    assert.equal(withResults(changed, 'NEW'), changed)
    assert.match(page, /\(images\/bench\.svg\)/)
  })

  test('a page without the marks is refused', () => {
    assert.throws(() => withResults('# Page', 'NEW'), /lacks the marks/)
  })
})
