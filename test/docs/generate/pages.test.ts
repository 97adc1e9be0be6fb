/** The files with generated parts: the committed files are what the code writes, and nothing is left out. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { alertNames } from '../../../dashboards/alerts/alert.ts'
import { headingsOf } from '../../../docs/generate/markdown.ts'
import { PATHS, regenerated } from '../../../docs/generate/pages.ts'
import { CHANGES } from '../../../proxy/session/changes.ts'
import { readDocument, sourceFiles } from '../../support/docs/documents.ts'

for (const path of PATHS) {
  test(`${path} is up to date`, () => {
    const text = readDocument(path)
    assert.equal(text, regenerated(path, text), 'run `npm run docs` and commit the result')
  })
}

test('a file without generated parts is refused', () => {
  assert.throws(() => regenerated('LICENSE', ''), /^Error: LICENSE: has no generated parts$/)
})

test('a page that lost the comment around a part is refused', () => {
  const page = readDocument('docs/what-it-changes.md')
  const without = page.replace(/<!-- .*? -->/g, '')
  assert.throws(() => regenerated('docs/what-it-changes.md', without), /has no part "changes"/)
})

describe('Nothing is left out:', () => {
  test('every variable that a table of the sources documents is on the page of settings', () => {
    const page = readDocument('docs/configuration.md')
    const variables = sourceFiles().flatMap((file) =>
      [...readDocument(file).matchAll(/^\s+(?:\{ )?variable: '([A-Z_]+)'/gm)].map(([, name]) => name),
    )
    assert.ok(variables.length > 80)
    const missing = variables.filter((name) => !page.includes(`| \`${name}\``))
    assert.deepEqual(missing, [], 'add their table to docs/generate/settings.ts')
  })

  test('every alert is on the page of alerts', () => {
    const page = readDocument('docs/alerts.md')
    assert.deepEqual(
      alertNames.filter((name) => !page.includes(`| [${name}](../dashboards/runbooks/${name}.md) |`)),
      [],
    )
  })

  test('every change is on its page', () => {
    const page = readDocument('docs/what-it-changes.md')
    assert.deepEqual(
      CHANGES.filter((change) => !page.includes(`- ${change}\n`)),
      [],
    )
  })

  test('the contents link to every section', () => {
    const page = readDocument('docs/configuration.md')
    const sections = headingsOf(page).filter(({ depth }) => depth === 2 || depth === 3)
    assert.ok(sections.length > 20)
    for (const { text, anchor } of sections) assert.ok(page.includes(`[${text}](#${anchor})`), text)
  })
})
