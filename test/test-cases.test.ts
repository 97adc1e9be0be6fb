/**
 * The ids of docs/test-cases.md resolve: every id that the project mentions is in the catalogue, and every case of the
 * catalogue is named by a test, unless it is listed as not tested.
 */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'

const ROOT = join(import.meta.dirname, '..')
const CATALOGUE = 'docs/test-cases.md'
const SELF = 'test/test-cases.test.ts'

/** Not written by hand. */
const SKIPPED = new Set(['node_modules', 'generated'])
const KINDS = /\.(?:ts|js|go|py|dlg|md)$/

/** `DIS-05`, `3PT-07`, but no part of a longer word or of a path, and neither RFC-5321 nor SHA-256. */
const CASE = /(?<![\w/+=-])(?:3PT|[A-Z]{3})-\d{2}(?![\w/+=-])/g
/** What looks like the group of a case and is a standard. */
const STANDARDS = new Set(['CRC', 'UTF'])
/** Rules `R1` to `R99` and laws `L1` to `L9`. */
const RULE = /(?<![\w/+=-])(?:R\d{1,2}|L\d)(?![\w/+=-])/g

function idsIn(text: string): string[] {
  const cases = [...text.matchAll(CASE)].map(([id]) => id)
  return [...cases.filter((id) => !STANDARDS.has(id.slice(0, 3))), ...[...text.matchAll(RULE)].map(([id]) => id)]
}

/** The path of every text file of the project, from its root. */
function filesBelow(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { withFileTypes: true }).flatMap((entry) => {
    if (entry.name.startsWith('.') || SKIPPED.has(entry.name)) return []
    const path = join(folder, entry.name)
    if (entry.isDirectory()) return filesBelow(path)
    return entry.isFile() && KINDS.test(entry.name) ? [path] : []
  })
}

function read(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8')
}

/** Maps each id to the files in which `part` of the text mentions it. */
function mentions(files: readonly string[], part: (text: string) => string): Map<string, string[]> {
  const found = new Map<string, string[]>()
  for (const file of files) {
    for (const id of new Set(idsIn(part(read(file))))) found.set(id, [...(found.get(id) ?? []), file])
  }
  return found
}

/** A comment may name a case without testing it. `##` lines of dialogues are settings. */
function withoutComments(text: string): string {
  return text
    .split('\n')
    .filter((line) => !/^\s*(?:\/\/|\/?\*|#(?!#))/.test(line))
    .join('\n')
}

/** The ids in the first column of the tables, in their order. */
function listed(markdown: string): string[] {
  return [...markdown.matchAll(/^\| ((?:3PT|[A-Z]{3})-\d{2}|[RL]\d{1,2}) \|/gm)].map(([, id]) => id!)
}

const FILES = filesBelow('.').filter((path) => path !== SELF)
const [tested = '', untested = ''] = read(CATALOGUE).split('\n## Not tested\n')
const TESTED = listed(tested)
const UNTESTED = listed(untested)

describe('The catalogue of test cases', () => {
  const everywhere = mentions(FILES, (text) => text)
  const inTests = mentions(
    FILES.filter((path) => path.startsWith('test/')),
    withoutComments,
  )

  test('is read, and so are the files that name its cases', () => {
    assert.ok(TESTED.length > 200 && UNTESTED.length > 20, `${TESTED.length} and ${UNTESTED.length} cases`)
    assert.ok(everywhere.size > 200, `${everywhere.size} ids in ${FILES.length} files`)
  })

  test('has every id that a test, a dialogue, a source or a document mentions', () => {
    const known = new Set([...TESTED, ...UNTESTED])
    const missing = [...everywhere].filter(([id]) => !known.has(id))
    assert.deepEqual(
      missing.map(([id, files]) => `${id}: ${files.join(', ')}`),
      [],
      `not in ${CATALOGUE}`,
    )
  })

  test('has no case that no test names, except those that it lists as not tested', () => {
    assert.deepEqual(
      TESTED.filter((id) => !inTests.has(id)),
      [],
      'put the id at the end of the title of the test, or list the case as not tested',
    )
  })

  test('lists no case as not tested that a test names', () => {
    const named = UNTESTED.filter((id) => inTests.has(id))
    assert.deepEqual(
      named.map((id) => `${id}: ${inTests.get(id)?.join(', ')}`),
      [],
    )
  })

  test('has each id once', () => {
    const all = [...TESTED, ...UNTESTED]
    assert.deepEqual(
      all.filter((id, place) => all.indexOf(id) !== place),
      [],
    )
  })

  test('has each case under the heading of its group, in the order of the numbers', () => {
    for (const section of tested.split('\n### ').slice(1)) {
      const group = section.slice(0, section.indexOf(':'))
      const ids = listed(section)
      assert.ok(ids.length > 0, `${group} has cases`)
      assert.deepEqual(
        ids.filter((id) => !id.startsWith(group)),
        [],
        group,
      )
      const numbers = ids.map((id) => Number(id.slice(group.length).replace('-', '')))
      assert.deepEqual(
        numbers,
        numbers.toSorted((a, b) => a - b),
        group,
      )
    }
  })
})

describe('An id', () => {
  for (const [text, ids] of [
    ['the proxy mirrors a reset (DIS-05)', ['DIS-05']],
    ['testssl.sh (3PT-07, R16), and L1', ['3PT-07', 'R16', 'L1']],
    ['## ids: BDT-12 DIS-05', ['BDT-12', 'DIS-05']],
    ['RFC-5321, SHA-256, UTF-8, UTF-16, TLS-1, CRC-32/ISCSI, GS2-x, MD5', []],
    ['xDIS-05, DIS-050, DIS-05-x, a/R1+, R100, WR1', []],
  ] as const) {
    test(`is found in ${JSON.stringify(text)}: ${ids.join(', ') || 'none'}`, () => assert.deepEqual(idsIn(text), ids))
  }
})
