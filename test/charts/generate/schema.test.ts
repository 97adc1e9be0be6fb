import assert from 'node:assert/strict'
import { test } from 'node:test'
import { schemaOf } from '../../../charts/generate/schema.ts'
import { BOOLEAN, TEXT } from '../../../charts/generate/value.ts'

test('values with the same beginning are in one object, and no other names are allowed', () => {
  const values = [
    { path: 'image.tag', default: '', meaning: 'The `tag`.', schema: TEXT },
    { path: 'image.pull', default: true, meaning: 'Whether.', schema: BOOLEAN },
  ]
  const { properties, additionalProperties } = schemaOf([{ title: 'Image', values }])
  assert.equal(additionalProperties, false)
  assert.deepEqual((properties as Record<string, unknown>).image, {
    type: 'object',
    properties: {
      tag: { description: 'The tag.', default: '', type: 'string' },
      pull: { description: 'Whether.', default: true, type: 'boolean' },
    },
    additionalProperties: false,
  })
})

test('a parent chart may pass global values', () => {
  assert.deepEqual(Object.keys(schemaOf([]).properties as object), ['global'])
})
