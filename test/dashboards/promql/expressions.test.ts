/** The layout of expressions. alerts.test.ts and live.test.ts test what increaseWithFirst counts. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inParentheses, joined } from '../../../dashboards/promql/expressions.ts'

const LAYOUTS: readonly (readonly [name: string, expr: string, expected: string])[] = [
  ['one line is in parentheses on one line', inParentheses('a'), '(a)'],
  ['several lines are indented between parentheses', inParentheses('a\nor\nb'), '(\n  a\n  or\n  b\n)'],
  ['an operator has its own line', joined('or', 'a', 'b', 'c'), 'a\nor\nb\nor\nc'],
  [
    'an operand with several lines is in parentheses',
    joined('and', 'a', joined('or', 'b', 'c')),
    'a\nand\n(\n  b\n  or\n  c\n)',
  ],
]

for (const [name, expr, expected] of LAYOUTS) test(name, () => assert.equal(expr, expected))
