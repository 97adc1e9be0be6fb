/** The groups of documented variables, and the help in a terminal. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Documented, type Grouped, helpEntries, sectionsOf } from '../../settings/documentation.ts'

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

const GROUPS = { one: { title: 'One', about: 'The first.' }, two: { title: 'Two', about: 'The second.' } } as const
const grouped = (variable: string, group: string) =>
  ({ variable, default: '', meaning: 'A.', group }) as Grouped<keyof typeof GROUPS>

test('sections: the groups in their order, each with its rows in the order of the table', () => {
  const [a, b, c] = [grouped('A', 'two'), grouped('B', 'one'), grouped('C', 'two')]
  assert.deepEqual(sectionsOf(GROUPS, [a, b, c]), [
    { ...GROUPS.one, rows: [b] },
    { ...GROUPS.two, rows: [a, c] },
  ])
})

test('a variable without a group is reported, with the groups', () => {
  const { group: _, ...homeless } = grouped('A_NEW', 'one')
  for (const row of [homeless as ReturnType<typeof grouped>, grouped('A_NEW', 'three')])
    assert.throws(() => sectionsOf(GROUPS, [grouped('A', 'one'), row]), /^Error: A_NEW: .* one of one,two$/)
})

test('a group without a variable is reported', () => {
  assert.throws(() => sectionsOf(GROUPS, [grouped('A', 'one')]), /^Error: the group two has no variable/)
})
