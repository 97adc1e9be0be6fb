import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { entry, line, paragraph, section, subsection, verbatim } from '../../../docs/generate/roff.ts'

describe('a line', () => {
  const lines = [
    ['inline code is bold', 'Set `A_B` first.', 'Set \\fBA_B\\fR first.'],
    ['hyphens are those that people type', '`--json`', '\\fB\\-\\-json\\fR'],
    ['a backslash is no escape', 'a\\nb', 'a\\enb'],
    ['quotes, carets and tildes stay ASCII', `'"^~`, '\\(aq\\(dq\\(ha\\(ti'],
    ['a dot at the start is no request', '.env', '\\&.env'],
    ['a list of values may break after a comma', '10.0.0.0/8,::1', '10.0.0.0/8,\\:::1'],
  ] as const
  for (const [what, markdown, roff] of lines) test(what, () => assert.equal(line(markdown), `${roff}\n`))
})

test('sections, entries, paragraphs and lines as they are', () => {
  const text = section(
    'Files',
    subsection('A-B', line('Text.'), paragraph('More.')),
    entry('a-b', 'A `file`.'),
    verbatim('  x\n.y'),
  )
  assert.equal(
    text,
    '.SH FILES\n.SS A\\-B\nText.\n.PP\nMore.\n.TP\n.B a\\-b\nA \\fBfile\\fR.\n.PP\n.nf\n  x\n\\&.y\n.fi\n',
  )
})
