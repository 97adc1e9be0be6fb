/** What AhaSend's refusals mean, and who must act. */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { test } from 'node:test'
import { actors, meanings, RUNBOOKS } from '../../../otel/names/meanings.ts'
import { replyCauses } from '../../../otel/names/names.ts'

test('every cause has a meaning, and no other has', () => {
  assert.deepEqual(Object.keys(meanings).sort(), [...replyCauses].sort())
})

test('every role has something to act on', () => {
  const needed = new Set(Object.values(meanings).map(({ actor }) => actor))
  assert.deepEqual(
    Object.keys(actors).filter((actor) => !needed.has(actor as keyof typeof actors)),
    [],
  )
})

for (const [cause, { meaning, action, runbook }] of Object.entries(meanings)) {
  test(`${cause}: the meaning has no final full stop, the action has one, and the runbook exists`, () => {
    assert.doesNotMatch(meaning, /\.$/)
    assert.match(action, /^[A-Z].*\.$/)
    if (runbook !== undefined)
      assert.ok(existsSync(new URL(`../../../dashboards/runbooks/${runbook}.md`, import.meta.url)), runbook)
  })
}

test('the address of the runbooks ends with a slash, so that a name can follow', () => {
  assert.match(RUNBOOKS, /^https:\/\/.*\/$/)
})

test('every brief meaning fits the narrow column of a dashboard', () => {
  for (const [cause, { brief }] of Object.entries(meanings))
    assert.ok(brief.length <= 39 && !brief.endsWith('.'), cause)
})
