/** The names of apps, from networks and from listeners. What is refused in settings: `mistakes.test.ts`. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { clientNames, faultOfName } from '../../../proxy/settings/client-names.ts'
import { configOf } from '../../support/in-process/config.ts'

test('the names of networks and of listeners are the names of apps, each once', () => {
  const config = configOf({
    PROXY_LISTEN: 'smtp://127.0.0.1:1,smtp://127.0.0.1:2?client=web,smtp://127.0.0.1:3?client=probe',
    PROXY_CLIENTS: 'web=10.1.0.0/16,billing=10.2.0.0/16,web=10.3.0.0/16',
  })
  assert.deepEqual(clientNames(config), ['web', 'billing', 'probe'])
  assert.deepEqual(clientNames(configOf({})), [])
})

describe('A name', () => {
  const names: readonly (readonly [name: string, expected: RegExp | undefined])[] = [
    ['a', undefined],
    ['Web-2.x_y', undefined],
    ['a'.repeat(64), undefined],
    ['a'.repeat(65), /^the form, with a name of 1 to 64 letters, digits, dots, hyphens and underscores$/],
    ['', /^the form, with a name of 1 to 64 /],
    ['a b', /^the form, with a name of 1 to 64 /],
    ['Other', /^another name$/],
  ]
  for (const [name, expected] of names)
    test(JSON.stringify(name), () => {
      const fault = faultOfName(name, 'the form')
      if (expected) assert.match(fault?.expected ?? '', expected)
      else assert.equal(fault, undefined)
    })
})
