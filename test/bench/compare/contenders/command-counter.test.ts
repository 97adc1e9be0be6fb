/** The client's half of the observing prototype. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CommandCounter } from '../../../../bench/compare/contenders/programs/command-counter.ts'

const TEXT = 'EHLO app\r\nMAIL FROM:<a>\r\ndata\r\nDATA\r\nQUIT\r\n.\r\nMAIL FROM:<a>\r\nDATA\r\n.\r\nQUIT\r\n'

test('counts commands and messages at every cut; lines of a message are no commands', () => {
  for (let cut = 0; cut <= TEXT.length; cut += 1) {
    const totals = { commands: 0, messages: 0 }
    const counter = new CommandCounter(totals)
    counter.push(Buffer.from(TEXT.slice(0, cut)))
    counter.push(Buffer.from(TEXT.slice(cut)))
    assert.deepEqual(totals, { commands: 6, messages: 2 }, `${cut}`)
  }
})
