/** The settings in the chart's schema are those of the programs. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PROBE_SETTINGS_SCHEMA, SETTINGS_FROM_SCHEMA, SETTINGS_SCHEMA } from '../../../charts/generate/settings.ts'
import type { Schema } from '../../../charts/generate/value.ts'
import { COMPOSE_NAMES } from '../../../proxy/settings/checks.ts'
import { readDocument } from '../../support/docs/documents.ts'

const namesIn = (schema: Schema) => Object.keys(schema.properties as object)

test('every setting of the page of settings is known, also those of one signal', () => {
  const page = readDocument('docs/configuration.md')
  const documented = [...page.matchAll(/^\| `((?:PROXY|OTEL|PROBE)_[A-Z_]+)`/gm)].map(([, name = '']) => name)
  const known = new Set([...namesIn(SETTINGS_SCHEMA), ...namesIn(PROBE_SETTINGS_SCHEMA)])
  // compose.yaml reads these itself
  const ofCompose = new Set<string>(COMPOSE_NAMES)
  assert.ok(documented.length > 50)
  assert.deepEqual(
    documented.filter((name) => !known.has(name) && !ofCompose.has(name)),
    [],
  )
  assert.ok(known.has('OTEL_EXPORTER_OTLP_TRACES_ENDPOINT'))
})

test('a setting from which the chart computes something cannot come from a Secret', () => {
  const elsewhere = new Set(namesIn(SETTINGS_FROM_SCHEMA))
  assert.deepEqual(
    namesIn(SETTINGS_SCHEMA)
      .filter((name) => !elsewhere.has(name))
      .toSorted(),
    [
      'OTEL_RESOURCE_ATTRIBUTES',
      'PROXY_ADMIN',
      'PROXY_DRAIN_TIMEOUT',
      'PROXY_LISTEN',
      'PROXY_STOP_GRACE',
      'PROXY_TLS_CERT_FILE',
      'PROXY_TLS_KEY_FILE',
    ],
  )
})

test('a setting has its meaning and the default of the image', () => {
  const { PROXY_LISTEN } = SETTINGS_SCHEMA.properties as Record<string, { description: string; examples: string[] }>
  assert.match(PROXY_LISTEN?.description ?? '', /^Addresses to listen on, comma-separated\. smtp:\/\/host:port/)
  assert.deepEqual(PROXY_LISTEN?.examples, ['smtp://0.0.0.0:2525'])
})
