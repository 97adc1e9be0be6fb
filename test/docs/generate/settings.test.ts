import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SECTIONS, settingsTable } from '../../../docs/generate/settings.ts'
import type { Documented } from '../../../settings/documentation.ts'

const LONG = 'a'.repeat(30)
const ROWS: readonly Documented[] = [
  { variable: 'A_LISTEN', default: 'http://127.0.0.1:80', inImage: 'http://0.0.0.0:80', meaning: 'Where `A` listens.' },
  { variable: 'A_FILE', default: '', meaning: 'A file.' },
  { variable: 'A_LIST', default: `${LONG},${LONG}`, meaning: 'A list.' },
]

test('a setting has its default below it; a long one is in the other cell, where it can wrap', () => {
  assert.equal(
    settingsTable(ROWS),
    `| setting, default | meaning |
| --- | --- |
| \`A_LISTEN\`<br>\`http://127.0.0.1:80\`<br>image: \`http://0.0.0.0:80\` | Where \`A\` listens. |
| \`A_FILE\` | A file. |
| \`A_LIST\` | A list.<br>Default: \`${LONG}\`, \`${LONG}\` |
`,
  )
})

test('every group has a title and one sentence, and every variable is in one group', () => {
  const sections = Object.values(SECTIONS).flat()
  for (const { title, about } of sections) {
    assert.match(title, /^[A-Z][^.]+$/)
    assert.match(about, /^[A-Z].*\.$/, title)
  }
  const variables = sections.flatMap(({ rows }) => rows).map(({ variable }) => variable)
  assert.equal(new Set(variables).size, variables.length)
})
