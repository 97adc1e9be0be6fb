import assert from 'node:assert/strict'
import { test } from 'node:test'
import { contentsOf, headingsOf, lines, sentence, table } from '../../../docs/generate/markdown.ts'

test('headings have the anchors of GitHub: lower case, without markup and punctuation, numbered if repeated', () => {
  const page = [
    '# The proxy',
    '## `smtp_command`',
    '## A [link](page.md), and **more**',
    '## The proxy',
    '```sh\n# a comment\n```',
    'An underlined heading\n---',
  ].join('\n\n')
  assert.deepEqual(
    headingsOf(page).map(({ depth, anchor }) => `${depth} ${anchor}`),
    ['1 the-proxy', '2 smtp_command', '2 a-link-and-more', '2 the-proxy-1', '2 an-underlined-heading'],
  )
})

test('the contents: a line for each section, with its subsections', () => {
  const page = '# Title\n## One\n### First\n### Second\n#### Deep\n## Two\n### Third\n'
  assert.equal(contentsOf(page), '- [One](#one): [First](#first), [Second](#second)\n- [Two](#two): [Third](#third)\n')
})

test('a table escapes the pipes in its cells', () => {
  assert.equal(table(['a', 'b'], [['`x|y`', '']]), '| a | b |\n| --- | --- |\n| `x\\|y` |  |\n')
})

test('a table shows names of settings as code', () => {
  const [, , row] = table(['a'], [['see PROXY_ALLOW, `PROXY_LISTEN=x` and PROXY_TLS_CIPHERS=old.']]).split('\n')
  assert.equal(row, '| see `PROXY_ALLOW`, `PROXY_LISTEN=x` and `PROXY_TLS_CIPHERS=old`. |')
})

test('lines of a cell, without the empty ones', () => {
  assert.equal(lines('one', '', 'two'), 'one<br>two')
})

test('a sentence has a capital letter and a full stop', () => {
  assert.deepEqual(['the end', 'Is it?', 'yes.'].map(sentence), ['The end.', 'Is it?', 'Yes.'])
})
