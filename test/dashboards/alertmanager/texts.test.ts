/** The notification texts. notifications.test.ts tests what a real Alertmanager makes of them. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EMAIL, PAGERDUTY, SLACK } from '../../../dashboards/alertmanager/texts.ts'
import { generatedGroups } from '../alerts/scenarios/promtool.ts'

const annotations = new Set(
  generatedGroups().flatMap(({ rules }) => rules.flatMap((rule) => Object.keys(rule.annotations ?? {}))),
)

for (const [receiver, texts] of Object.entries({ SLACK, EMAIL, PAGERDUTY })) {
  const text = JSON.stringify(texts)

  test(`${receiver} uses only annotations that the rules have`, () => {
    const used = [...text.matchAll(/Annotations\.(\w+)/g)].map(([, name = '']) => name)
    assert.notEqual(used.length, 0)
    assert.deepEqual(
      used.filter((name) => !annotations.has(name)),
      [],
    )
  })

  test(`${receiver} has balanced templates, reports resolved alerts and does not link to Alertmanager`, () => {
    const opened = text.match(/\{\{ ?(if|with|range)\b/g) ?? []
    const closed = text.match(/\{\{ ?end\b/g) ?? []
    assert.equal(opened.length, closed.length)
    assert.equal(texts.send_resolved, true)
    assert.doesNotMatch(text, /ExternalURL|GeneratorURL/)
  })
}
