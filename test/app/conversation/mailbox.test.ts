/** Addresses that may stand in a command. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isMailbox } from '../../../app/conversation/mailbox.ts'

test('an address has a local part and a domain, and cannot end a command', () => {
  for (const text of ['you@example.com', "o'neil+tag@mail.example.com"]) assert.equal(isMailbox(text), true, text)
  const wrong = ['', 'you', '@example.com', 'a b@example.com', 'a@b>\r\nDATA', '"a"@example.com', 'ä@example.com']
  for (const text of [...wrong, `${'a'.repeat(250)}@b.example`]) assert.equal(isMailbox(text), false, text)
})
