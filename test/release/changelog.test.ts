/** CHANGELOG.md has the format of Keep a Changelog, and a mistake in it is reported. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { compareVersions, newestRelease, readChangelog, withRelease } from '../../release/changelog.ts'

const ROOT = join(import.meta.dirname, '../..')

const GOOD = `# Changelog

## [Unreleased]

### Added

- A new thing.

## [1.10.0] - 2026-12-01

### Changed

- **Breaking:** [a name](docs/names.md)
  changes.
- Another change.

### Security

- A hole is closed.

## [1.9.0] - 2026-11-24

The first version.

### Added

- Everything.

[Unreleased]: https://example.com/compare/v1.10.0...HEAD
[1.10.0]: https://example.com/compare/v1.9.0...v1.10.0
[1.9.0]: https://example.com/tags/v1.9.0
`

test('CHANGELOG.md has no mistake', () => {
  const sections = readChangelog(readFileSync(join(ROOT, 'CHANGELOG.md'), 'utf8'))
  assert.equal(sections[0]?.name, 'Unreleased')
  assert.ok(sections.length > 2)
})

test('each section has a name, a date, and its text without the links at the end', () => {
  const sections = readChangelog(GOOD)
  assert.deepEqual(
    sections.map(({ name, date }) => [name, date]),
    [
      ['Unreleased', undefined],
      ['1.10.0', '2026-12-01'],
      ['1.9.0', '2026-11-24'],
    ],
  )
  assert.equal(sections[2]?.body, 'The first version.\n\n### Added\n\n- Everything.')
  assert.equal(newestRelease(sections), sections[1])
})

describe('A mistake is reported', () => {
  const cases: readonly (readonly [what: string, from: string, to: string, mistake: RegExp])[] = [
    ['a section that is no version', '## [1.9.0] - ', '## Version 1.9.0 - ', /"## Version 1\.9\.0 - .*" is not/],
    ['no date', '## [1.9.0] - 2026-11-24', '## [1.9.0]', /\[1\.9\.0\] has the date \(none\)/],
    ['a day that does not exist', '2026-11-24', '2026-11-31', /2026-11-31, which is not YYYY-MM-DD/],
    ['a date of unreleased changes', '## [Unreleased]', '## [Unreleased] - 2026-12-02', /\[Unreleased\] has a date/],
    ['no section for unreleased changes', '## [Unreleased]', '## [2.0.0] - 2027-01-01', /is not the first section/],
    ['an older version above a newer one', '## [1.10.0]', '## [1.8.0]', /\[1\.8\.0\] is above \[1\.9\.0\]/],
    ['a date before the previous one', '2026-12-01', '2026-11-01', /\[1\.10\.0\] is above \[1\.9\.0\] and not newer/],
    ['another kind', '### Security', '### Documentation', /has the kinds Changed, Documentation/],
    ['a kind twice', '### Security', '### Changed', /has the kinds Changed, Changed/],
    ['kinds in another order', '### Changed', '### Security', /has the kinds Security, Security/],
    ['a kind without changes', '- A hole is closed.', '', /has 1 lists for 2 kinds/],
    ['a version without changes', '### Added\n\n- Everything.', '', /\[1\.9\.0\] lists no change/],
    ['no link', '[1.9.0]: https', '[1.9.1]: https', /\[1\.9\.0\] has no link/],
  ]
  for (const [what, from, to, mistake] of cases) {
    test(what, () => {
      assert.ok(GOOD.includes(from))
      assert.throws(() => readChangelog(GOOD.replace(from, to)), mistake)
    })
  }

  test('a breaking change below another', () => {
    const text = GOOD.replace('- Another change.', '- Another change.\n- **Breaking:** the last change.')
    assert.throws(() => readChangelog(text), /a breaking change is not first: \*\*Breaking:\*\* the last change/)
  })
})

describe('A release', () => {
  test('takes the unreleased changes, and links to the comparison with the previous version', () => {
    const [unreleased, newest, previous] = readChangelog(withRelease(GOOD, '2.0.0', '2027-01-31'))
    assert.deepEqual(unreleased, { name: 'Unreleased', date: undefined, body: '' })
    assert.deepEqual(newest, { name: '2.0.0', date: '2027-01-31', body: '### Added\n\n- A new thing.' })
    assert.equal(previous?.name, '1.10.0')
    assert.match(withRelease(GOOD, '2.0.0', '2027-01-31'), /^\[Unreleased\]: .*\/v2\.0\.0\.\.\.HEAD$/m)
    assert.match(withRelease(GOOD, '2.0.0', '2027-01-31'), /^\[2\.0\.0\]: .*\/compare\/v1\.10\.0\.\.\.v2\.0\.0$/m)
  })

  test('needs unreleased changes', () => {
    const text = GOOD.replace('### Added\n\n- A new thing.\n', '')
    assert.throws(() => withRelease(text, '2.0.0', '2027-01-31'), /\[Unreleased\] is empty/)
  })
})

test('versions are compared by number', () => {
  assert.ok(compareVersions('1.10.0', '1.9.9') > 0)
  assert.ok(compareVersions('0.2.0', '0.10.0') < 0)
  assert.equal(compareVersions('1.2.3', '1.2.3'), 0)
})
