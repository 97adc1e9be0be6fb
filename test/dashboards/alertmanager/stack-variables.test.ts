/**
 * The variables that compose.yaml reads: their documentation has their names and defaults, and every setting of the proxy
 * is among them.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { STACK_SECTIONS, STACK_VARIABLES } from '../../../dashboards/alertmanager/stack-variables.ts'
import { COMPOSE_NAMES } from '../../../proxy/settings/checks.ts'
import {
  FIXED,
  isOfProbe,
  isOfProxy,
  PROBE_VARIABLES,
  PROXY_VARIABLES,
  stackVariables,
} from '../../support/containers/compose.ts'

const [compose, rehearsal] = ['compose.yaml', 'rehearsal.env'].map((file) =>
  readFileSync(join(import.meta.dirname, '../../..', file), 'utf8'),
) as [string, string]
const inCompose = stackVariables()
const rows = STACK_SECTIONS.flatMap((section) => section.rows)

test('each row has the default of compose.yaml and a meaning', () => {
  for (const { variable, default: byDefault, meaning } of rows) {
    assert.equal(inCompose.get(variable), byDefault, variable)
    assert.match(meaning, /\S/, variable)
  }
})

test('each variable of compose.yaml is known, and those of the proxy that are not settings are documented', () => {
  const names = [...inCompose.keys()]
  const ofStack = names.filter((name) => !isOfProxy(name) && !isOfProbe(name))
  assert.deepEqual(ofStack.sort(), STACK_VARIABLES.toSorted())
  const ofProxy = names.filter((name) => isOfProxy(name) && ![...PROXY_VARIABLES, ...FIXED].includes(name))
  assert.deepEqual(ofProxy.sort(), COMPOSE_NAMES.toSorted())
  assert.deepEqual(
    COMPOSE_NAMES.filter((name) => !rows.some(({ variable }) => variable === name)),
    [],
  )
})

test('compose.yaml passes every setting of the proxy and of the probe on, and rehearsal.env replaces it', () => {
  const variables = [...PROXY_VARIABLES, ...PROBE_VARIABLES]
  const unlisted = variables.filter((name) => !new RegExp(`^[^#\\n]*\\b${name}\\b`, 'm').test(compose))
  assert.deepEqual(
    unlisted,
    [],
    'list these settings under `environment` of the service proxy or probe in compose.yaml',
  )
  const kept = variables.filter((name) => !new RegExp(`^${name}=`, 'm').test(rehearsal))
  assert.deepEqual(kept, [], 'add a line `NAME=` for each of these settings to rehearsal.env')
})
