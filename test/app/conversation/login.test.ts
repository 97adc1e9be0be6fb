/** A user name and a password: in a file, and in text that is printed. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { base64, loginIn, redactor } from '../../../app/conversation/login.ts'

test('the first two lines of a file are the login, whatever their endings', () => {
  for (const text of ['app\nsecret', 'app\r\nsecret\r\n', 'app\nsecret\nmore\n'])
    assert.deepEqual(loginIn(text), { user: 'app', password: 'secret' })
  for (const text of ['', 'app', 'app\n', '\nsecret']) assert.equal(loginIn(text), undefined)
})

test('text is sent in base64', () => {
  assert.equal(base64('\0app\0secret'), 'AGFwcABzZWNyZXQ=')
})

test('the password is redacted in every form in which it may come back', () => {
  const redact = redactor({ user: 'app', password: 'secret' })
  const forms = ['secret', Buffer.from('secret').toString('base64'), Buffer.from('\0app\0secret').toString('base64')]
  assert.equal(redact(`535 ${forms.join(' ')}`), '535 *** *** ***')
})
