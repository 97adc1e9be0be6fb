/** TraceQL of links. dashboards.test.ts checks the links of all panels. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { spanWith, tracesLink, traceWith } from '../../../dashboards/panels/traces.ts'

const SPANS: readonly (readonly [traceql: string, expected: string])[] = [
  [spanWith({}, 'dial', 'status = error'), '{ name = "smtp.dial" && status = error }'],
  [spanWith({ 'smtp.command': 'AUTH' }), '{ span.smtp.command = "AUTH" }'],
  [spanWith({ 'smtp.reply.code': 521 }), '{ span.smtp.reply.code = 521 }'],
  [spanWith({ 'smtp.reply.code': { atLeast: 400 } }), '{ span.smtp.reply.code >= 400 }'],
  [spanWith({ 'smtp.client.name': { matches: 'a|b' } }), '{ span.smtp.client.name =~ "a|b" }'],
  [spanWith({ 'smtp.reply.code': { raw: '$code' } }), '{ span.smtp.reply.code = $code }'],
  [traceWith('{ a }', '{ b }'), '{ a } && { b }'],
]

for (const [traceql, expected] of SPANS) test(expected, () => assert.equal(traceql, expected))

test('the URL encodes the query but not the variables of Grafana, and its parameter contains no ampersand', () => {
  const { url = '' } = tracesLink('Traces', '{ a = "$' + '{client:pipe}" && b }').build()
  assert.match(url, /^\/explore\?schemaVersion=1&panes=[^&]*$/)
  assert.ok(url.includes('$' + '{client:pipe}'), url)
  assert.doesNotMatch(decodeURIComponent(url.split('panes=')[1] ?? ''), /&/)
})
