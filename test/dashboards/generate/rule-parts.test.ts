/** The parts of both rule files. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { tidy, yaml } from '../../../dashboards/generate/rule-parts.ts'

test('selectors without conditions have no braces', () => {
  assert.equal(tidy('a{} / b{c="d"}'), 'a / b{c="d"}')
})

test('every line of the comment begins with #, and long lines are not folded', () => {
  const long = 'x '.repeat(100).trim()
  assert.equal(yaml({ a: long }, 'one\ntwo'), `# one\n# two\na: ${long}\n`)
})
