import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  type AttributeDefinition,
  appTlsErrors,
  attributes,
  details,
  dialErrors,
  labelOf,
  type MetricDefinition,
  metrics,
  probeMetrics,
  refusedSessions,
  spans,
  transactionErrors,
} from '../../../otel/names/names.ts'

const definitions: readonly MetricDefinition[] = [...Object.values(metrics), ...Object.values(probeMetrics)]
const attributeKeys = Object.keys(attributes) as (keyof typeof attributes)[]

test('the values of an attribute are unique and plain words', () => {
  for (const [key, definition] of Object.entries<AttributeDefinition>(attributes)) {
    if (!('values' in definition)) continue
    assert.equal(new Set(definition.values).size, definition.values.length, key)
    for (const value of definition.values) assert.match(String(value), /^[A-Za-z0-9_-]+$/, key)
  }
})

test('attributes with unbounded values are not labels of metrics', () => {
  const labels = new Set<string>(definitions.flatMap((metric) => metric.attributes))
  for (const key of Object.keys(details)) assert.ok(!labels.has(key), key)
})

test('every attribute is used by a metric', () => {
  const labels = new Set<string>(definitions.flatMap((metric) => metric.attributes))
  assert.deepEqual(
    attributeKeys.filter((key) => !labels.has(key)),
    [],
  )
})

test('every label has a closed set of values, except those whose values come from settings or reply codes', () => {
  const open = Object.entries(attributes).flatMap(([key, definition]) => ('values' in definition ? [] : [key]))
  assert.deepEqual(open, [
    'smtp.reply.code',
    'error.type',
    'smtp.client.name',
    'smtp.listener',
    'server.address',
    'smtp.loop',
  ])
})

test('error.type lists every error, besides reply codes', () => {
  const errors = [...transactionErrors, ...dialErrors, ...refusedSessions, ...appTlsErrors]
  for (const error of errors) assert.match(attributes['error.type'].range, new RegExp(`\\b${error}\\b`))
  assert.equal(new Set(errors).size, errors.length, 'an error belongs to one set only')
})

test('attributes of metrics and of log lines and spans have different keys and labels', () => {
  const keys = [...attributeKeys, ...Object.keys(details)]
  assert.equal(new Set(keys.map((key) => labelOf(key as keyof typeof attributes))).size, keys.length)
})

test('the names of spans', () => {
  assert.deepEqual(Object.values(spans), ['smtp.transaction', 'smtp.session', 'smtp.dial'])
})
