/** The table of codes and causes. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Actor, actors, causesOf, codesAsMarkdown, meanings } from '../../../dashboards/panels/codes.ts'
import { replyCauses } from '../../../otel/names/names.ts'

test('every cause has exactly one actor', () => {
  const causes = (Object.keys(actors) as Actor[]).flatMap((actor) => causesOf(actor))
  assert.deepEqual(causes.toSorted(), replyCauses.toSorted())
})

test('every actor must act on some cause', () => {
  for (const actor of Object.keys(actors) as Actor[]) assert.notEqual(causesOf(actor).length, 0, actor)
})

test('the Markdown table has a row for each cause, with five cells', () => {
  const [, , ...rows] = codesAsMarkdown().split('\n')
  assert.equal(rows.length, Object.keys(meanings).length)
  for (const row of rows) assert.equal(row.split('|').length, 7, row)
})

test('actions are sentences, meanings are not', () => {
  for (const { meaning, action } of Object.values(meanings)) {
    assert.match(action, /\.$/)
    assert.doesNotMatch(meaning, /\.$/)
  }
})
