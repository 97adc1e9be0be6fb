/** The notes of a release: the section of its version, digests, and links that work on the page of a release. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { readPublished, releaseNotes } from '../../release/notes.ts'

const DIGEST = `sha256:${'0123456789abcdef'.repeat(4)}`

const CHANGELOG = `# Changelog

## [Unreleased]

### Added

- Not yet.

## [1.2.3] - 2026-12-01

### Added

- [A page](docs/page.md), [a list](https://example.com/list).

[Unreleased]: https://example.com
[1.2.3]: https://example.com
`

test('the notes have the changes of the newest version, and no others', () => {
  const notes = releaseNotes(CHANGELOG, readPublished(`ghcr.io/a/b ${DIGEST}`))
  assert.match(notes, /^### Added\n\n- \[A page\]/)
  assert.ok(!notes.includes('Not yet'))
})

test('the notes list the name, the version and the digest of all that is published', () => {
  const notes = releaseNotes(CHANGELOG, readPublished(`ghcr.io/a/b ${DIGEST}\nghcr.io/a/c ${DIGEST}\n`))
  assert.ok(notes.includes(`| \`ghcr.io/a/b:1.2.3\` | \`${DIGEST}\` |\n| \`ghcr.io/a/c:1.2.3\` | \`${DIGEST}\` |\n`))
})

test('links to files lead to the files of this version', () => {
  const notes = releaseNotes(CHANGELOG, readPublished(`ghcr.io/a/b ${DIGEST}`))
  const files = 'https://github.com/AhaSend/ahasend-smtp-proxy/blob/v1.2.3'
  assert.ok(notes.includes(`[A page](${files}/docs/page.md), [a list](https://example.com/list)`))
  assert.ok(notes.includes(`(${files}/docs/releases.md)`))
})

describe('A line that is no name and digest is refused', () => {
  for (const line of ['', 'ghcr.io/a/b', `ghcr.io/a/b ${DIGEST.slice(0, -1)}`, `${DIGEST}`, `ghcr.io/a/b ${DIGEST} x`])
    test(`"${line}"`, () => assert.throws(() => readPublished(line), /is not NAME sha256:DIGEST|there are no digests/))
})
