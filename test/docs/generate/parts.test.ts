import assert from 'node:assert/strict'
import { test } from 'node:test'
import { withoutParts, withParts } from '../../../docs/generate/parts.ts'

const begin = (name: string) => `<!-- ${name}: written by \`npm run docs\` -->`
const page = `# Title\n\n${begin('one')}\nold\n<!-- /one -->\n\nBy hand.\n\n${begin('two')}\n<!-- /two -->\n`

test('a part is replaced, and the text around it stays', () => {
  const written = withParts('page.md', page, { one: 'A\n', two: 'B\n' })
  assert.equal(
    written,
    `# Title\n\n${begin('one')}\n\nA\n\n<!-- /one -->\n\nBy hand.\n\n${begin('two')}\n\nB\n\n<!-- /two -->\n`,
  )
  assert.equal(withParts('page.md', written, { one: 'A\n', two: 'B\n' }), written, 'the second time, nothing changes')
})

test('the text that is written by hand', () => {
  assert.equal(withoutParts(page), '# Title\n\n\n\nBy hand.\n\n\n')
})

test('a page without the comments of a part is refused', () => {
  assert.throws(
    () => withParts('page.md', page, { one: '', two: '', three: '' }),
    /^Error: page\.md: has no part "three"/,
  )
})

test('a part that nothing writes is refused', () => {
  assert.throws(() => withParts('page.md', page, { one: '' }), /^Error: page\.md: nothing writes the part "two"$/)
})
