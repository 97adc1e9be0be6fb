/** The documentation that is generated from rows of tables. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Documented, envExample, helpEntries, markdownTable } from '../../settings/documentation.ts'

const ROWS: readonly Documented[] = [
  { variable: 'A_LISTEN', default: 'http://127.0.0.1:80', inImage: 'http://0.0.0.0:80', meaning: 'Where `A` listens.' },
  { variable: 'A_FILE', default: '', meaning: 'A file.' },
  { variable: 'A_SIZE', default: '5', meaning: `Long. ${'word '.repeat(30)}end.` },
]

test('--help: the variable, its meaning without Markdown in lines of 110 columns, and its default', () => {
  assert.equal(
    helpEntries(ROWS),
    `A_LISTEN
    Where A listens.
    Default: http://127.0.0.1:80 (container image: http://0.0.0.0:80)

A_FILE
    A file.

A_SIZE
    Long. word word word word word word word word word word word word word word word word word word word word
    word word word word word word word word word word end.
    Default: 5`,
  )
})

test('the README: a row of three cells for each variable', () => {
  assert.equal(
    markdownTable(ROWS.slice(0, 2)),
    `| variable | default | meaning |
|---|---|---|
| \`A_LISTEN\` | \`http://127.0.0.1:80\` (image: \`http://0.0.0.0:80\`) | Where \`A\` listens. |
| \`A_FILE\` |  | A file. |
`,
  )
})

test('.env.example: each variable commented out, with its value in the image', () => {
  assert.equal(
    envExample('A', ROWS),
    `# --- A ---

# Where A listens.
#A_LISTEN=http://0.0.0.0:80

# A file.
#A_FILE=

# Long. word word word word word word word word word word word word word word word word word word word word word word
# word word word word word word word word end.
#A_SIZE=5
`,
  )
})
