/** The login for `check`. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readLogin } from '../../../../app/check/upstream/login.ts'

const noFile = () => assert.fail('no file is read')

test('a file with two lines, whatever their endings', () => {
  for (const text of ['app\nsecret', 'app\r\nsecret\r\n', 'app\nsecret\n\n']) {
    assert.deepEqual(
      readLogin('login', {}, () => text),
      { login: { user: 'app', password: 'secret' } },
    )
  }
})

test('a file that is incomplete or cannot be read: what is expected, without its text', () => {
  for (const text of ['', 'secret', 'app\n']) {
    assert.deepEqual(
      readLogin('login', {}, () => text),
      {
        mistake: 'check: --login-file: expected the user name on the first line and the password on the second.',
      },
    )
  }
  const missing = readLogin('login', {}, () => {
    throw Object.assign(new Error('no such file'), { code: 'ENOENT' })
  })
  assert.deepEqual(missing, { mistake: 'check: --login-file: expected a file that this user can read (ENOENT).' })
})

test('the environment: both variables, none, or a mistake', () => {
  const both = { PROXY_CHECK_USER: 'app', PROXY_CHECK_PASSWORD: 'secret' }
  assert.deepEqual(readLogin(undefined, both, noFile), { login: { user: 'app', password: 'secret' } })
  assert.deepEqual(readLogin(undefined, {}, noFile), {})
  assert.deepEqual(readLogin(undefined, { PROXY_CHECK_PASSWORD: 'secret' }, noFile), {
    mistake: 'check: PROXY_CHECK_USER is not set, but PROXY_CHECK_PASSWORD is: expected both or neither.',
  })
})
