import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isSet } from '../../settings/environment.ts'

test('a variable is set if its value is neither empty nor blank', () => {
  const env = { VALUE: 'x', ZERO: '0', EMPTY: '', BLANK: ' \r\n', UNDEFINED: undefined }
  const names = [...Object.keys(env), 'ABSENT']
  assert.deepEqual(
    names.filter((name) => isSet(name, env)),
    ['VALUE', 'ZERO'],
  )
})
