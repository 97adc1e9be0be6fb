/** The messages about settings, and what they quote of a value. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { isContent, missing, mistake, shown, shownUrl } from '../../settings/mistakes.ts'

describe('A message names the variable, the value, what is expected and what to do: ', () => {
  const fault = { got: '"x"', expected: 'a number' }
  const MESSAGES: readonly (readonly [message: string, expected: string])[] = [
    [mistake('A', fault), 'A: got "x", expected a number. Correct it, or unset it.'],
    [mistake('A', fault, '5'), 'A: got "x", expected a number. Correct it, or unset it to use 5.'],
    [mistake('A', { ...fault, fix: 'Write 1.' }, '5'), 'A: got "x", expected a number. Write 1.'],
    [missing('A', 'B', 'a file'), 'A: got nothing, expected a file, because B is set. Set both or neither.'],
  ]
  for (const [message, expected] of MESSAGES) test(expected, () => assert.equal(message, expected))
})

describe('A quoted value contains no secret: ', () => {
  const SHOWN: readonly (readonly [text: string, shown: string])[] = [
    ['10.0.0.0/8', '"10.0.0.0/8"'],
    ['', '""'],
    ['smtp://user:secret@host:25', '"smtp://***@host:25"'],
    ['user:secret@host', '"***@host"'],
    ['smtp://host:25?tls=off&password=secret', '"smtp://host:25?tls=off&password=***"'],
    ['/run/secrets/a@b.pem', '"/run/secrets/a@b.pem"'],
    ['-----BEGIN PRIVATE KEY----- secret', '(several lines, not shown)'],
    ['secret\nsecret', '(several lines, not shown)'],
    ['A'.repeat(64), '(64 characters, not shown)'],
    ['x '.repeat(70), `"${'x '.repeat(60)}..."`],
  ]
  for (const [text, expected] of SHOWN) test(expected, () => assert.equal(shown(text), expected))
})

describe('A quoted URL contains no key: ', () => {
  const URLS: readonly (readonly [url: string, shown: string])[] = [
    ['https://hooks.example/services/T0/abcdefghijklmnopqrstuvwx', 'https://hooks.example/services/T0/***'],
    ['https://a-host-with-a-long-name.example/in?key=secret', 'https://a-host-with-a-long-name.example/in?key=***'],
    ['https://user:secret@host/in', 'https://***@host/in'],
  ]
  for (const [url, expected] of URLS) test(expected, () => assert.equal(shownUrl(url), expected))
})

test('the content of a file is not a path', () => {
  const texts = ['/etc/ssl/ca.pem', 'ca.pem', '-----BEGIN CERTIFICATE-----', 'one\ntwo', 'zero\0']
  assert.deepEqual(texts.map(isContent), [false, false, true, true, true])
})
