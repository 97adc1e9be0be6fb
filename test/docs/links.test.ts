/** The links of all pages lead somewhere. */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { readDocument, readPages } from '../support/docs/documents.ts'
import { brokenLinks, type Tree, targetsIn } from '../support/docs/links.ts'

const ROOT = join(import.meta.dirname, '../..')

const project: Tree = { exists: (path) => existsSync(join(ROOT, path)), read: readDocument }

test('the pages and their links are found', () => {
  const pages = [...readPages()]
  const paths = pages.map(([path]) => path)
  for (const path of ['README.md', 'CHANGELOG.md', 'docs/alerts.md', 'test/simulator/README.md'])
    assert.ok(paths.includes(path), path)
  assert.ok(paths.some((path) => path.startsWith('dashboards/runbooks/')))
  assert.ok(pages.flatMap(([, text]) => targetsIn(text)).length > 100)
})

for (const path of readPages().keys()) {
  test(`${path}: every link leads to a file, a heading or a valid URL`, () => {
    assert.deepEqual(brokenLinks(path, project), [])
  })
}

const OTHER = '# Other\n\n## A `code` heading\n\n## Twice\n\n## Twice\n\n<a id="by-hand"></a>\n'
const ON_GITHUB = 'https://github.com/AhaSend/ahasend-smtp-proxy'

/** A project with two pages, the first of which has this text. */
function projectWith(text: string): Tree {
  const files = new Map([
    ['docs/page.md', text],
    ['docs/other.md', OTHER],
    ['docs/images/one.png', ''],
    ['app/main.ts', ''],
  ])
  return {
    exists: (path) => files.has(path) || [...files.keys()].some((file) => file.startsWith(`${path}/`)),
    read: (path) => files.get(path) ?? assert.fail(`${path} was read`),
  }
}

describe('A link that works', () => {
  const working = [
    '[a](other.md), [b](other.md#a-code-heading), [c](other.md#twice-1), [d](other.md#by-hand)',
    '# Here\n\n[a](#here)',
    '[a](../app/main.ts), [b](../app/), [c](../app/main.ts#L3-L5)',
    '![a](images/one.png) <img src="images/one.png">',
    '[a][ref]\n\n[ref]: other.md',
    '[a](https://example.com/x#y), http://127.0.0.1:9464 and [b](mailto:a@example.com)',
    `[a](${ON_GITHUB}), [b](${ON_GITHUB}/issues), [c](${ON_GITHUB}/blob/main/docs/other.md#twice)`,
    '`[a](nowhere.md)`\n\n```\n[a](nowhere.md)\n```',
  ]
  for (const text of working) {
    test(JSON.stringify(text), () => assert.deepEqual(brokenLinks('docs/page.md', projectWith(text)), []))
  }
})

describe('A link that is broken', () => {
  const broken: readonly (readonly [text: string, problem: string])[] = [
    ['[a](nowhere.md)', 'leads to no file'],
    ['[a](Other.md)', 'leads to no file'],
    ['[a](other.md#nothing)', 'leads to no heading'],
    ['[a](other.md#Twice)', 'leads to no heading'],
    ['[a](other.md#twice-2)', 'leads to no heading'],
    ['# Here\n\n[a](#there)', 'leads to no heading'],
    ['[a](../app/main.ts#main)', 'has an anchor in a file without headings'],
    ['[a](../../secret.md)', 'leaves the repository'],
    ['[a](/docs/other.md)', 'is not relative'],
    ['![a](images/two.png)', 'leads to no file'],
    ['<img src="images/two.png">', 'leads to no file'],
    ['[a][ref]\n\n[ref]: nowhere.md', 'leads to no file'],
    ['| a |\n|---|\n| [a](nowhere.md) |', 'leads to no file'],
    ['[a](http:/example.com)', 'is not a valid URL'],
    ['[a](https://exa%mple.com)', 'is not a valid URL'],
    ['[a](htp://example.com)', 'has an unknown scheme'],
    [`[a](${ON_GITHUB}/blob/main/docs/nowhere.md)`, 'leads to no file'],
    [`[a](${ON_GITHUB}/blob/main/docs/other.md#nothing)`, 'leads to no heading'],
    [`[a](${ON_GITHUB}/tree/next/docs)`, 'does not lead to the branch main'],
  ]
  for (const [text, problem] of broken) {
    test(JSON.stringify(text), () => {
      const [found, ...others] = brokenLinks('docs/page.md', projectWith(text))
      assert.deepEqual(others, [])
      assert.ok(found?.startsWith('docs/page.md: the link to ') && found.endsWith(problem), found)
    })
  }
})
