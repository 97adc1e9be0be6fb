import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parse } from 'yaml'
import { OBJECT, TEXT } from '../../../charts/generate/value.ts'
import { VALUES } from '../../../charts/generate/values.ts'
import { valuesYaml } from '../../../charts/generate/values-yaml.ts'

test('each value stands below its meaning, with its default', () => {
  const values = [
    { path: 'image.tag', default: '', meaning: 'The `tag`.', schema: TEXT },
    { path: 'image.more', default: { a: [1] }, meaning: 'More.', schema: OBJECT },
  ]
  assert.match(
    valuesYaml([{ title: 'Image', values }]),
    /\n# --- Image ---\n\nimage:\n\n {2}# The tag\.\n {2}tag: ""\n\n {2}# More\.\n {2}more:\n {4}a:\n {6}- 1\n$/,
  )
})

test('the file has exactly the defaults of the table', () => {
  const tree = parse(valuesYaml(VALUES)) as unknown
  for (const { path, default: byDefault } of VALUES.flatMap(({ values }) => values)) {
    const found = path.split('.').reduce((parent, name) => (parent as Record<string, unknown>)[name], tree)
    assert.deepEqual(found, byDefault, path)
  }
})
