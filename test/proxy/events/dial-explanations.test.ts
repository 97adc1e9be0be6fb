import assert from 'node:assert/strict'
import { test } from 'node:test'
import { dialErrors } from '../../../proxy/events/closed-sets.ts'
import { dialExplanations } from '../../../proxy/events/dial-explanations.ts'

for (const error of dialErrors) {
  test(`${error} is explained in a clause that can follow a colon`, () => {
    assert.match(dialExplanations[error], /^[a-z].*[^.]$/)
    assert.ok(dialExplanations[error].length < 150)
  })
}
