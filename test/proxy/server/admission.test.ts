/** The counts of sessions and their limits, in one event loop and in shared memory. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LocalAdmission, SharedAdmission } from '../../../proxy/server/admission.ts'

const LIMITS = { sessions: 3, perClient: 2 }

for (const [name, make] of [
  ['one event loop', () => new LocalAdmission(LIMITS)],
  ['shared memory', () => new SharedAdmission(LIMITS, SharedAdmission.memory())],
] as const) {
  test(`the limits apply, and a session that leaves frees its place (${name})`, () => {
    const admission = make()
    assert.deepEqual(
      ['a', 'a', 'a', 'b', 'b'].map((client) => admission.enter(client)),
      [true, true, false, true, false],
    )
    admission.leave('a')
    assert.deepEqual(
      ['b', 'b', 'a'].map((client) => admission.enter(client)),
      [true, false, false],
    )
  })
}

test('0 is no limit per client, and two loops share the total count', () => {
  const memory = SharedAdmission.memory()
  const [one, other] = [
    new SharedAdmission({ sessions: 3, perClient: 0 }, memory),
    new SharedAdmission({ sessions: 3, perClient: 0 }, memory),
  ]
  assert.deepEqual([one.enter('a'), other.enter('a'), one.enter('a'), other.enter('a')], [true, true, true, false])
})
