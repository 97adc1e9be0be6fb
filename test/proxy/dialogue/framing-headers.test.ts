/** Which header section the bytes of bodies and chunks fill: one for each message. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Framing } from '../../../proxy/dialogue/framing.ts'

const NO_LISTENER = { command: () => {}, saslResponse: () => {}, endOfBody: () => {}, overflow: () => {} }

/** A framing that trusts the lengths of BDAT. */
function framingOf(messageIds = false): Framing {
  const framing = new Framing(NO_LISTENER, messageIds)
  framing.chunking = true
  return framing
}

/** Pushes text in segments of `size` bytes. */
function push(framing: Framing, text: string, size: number): void {
  const bytes = Buffer.from(text, 'latin1')
  for (let at = 0; at < bytes.length; at += size) framing.push(bytes.subarray(at, at + size), at)
}

const FIELD = 'AhaSend-Sandbox: true\r\n'

describe('The header section that bytes fill', () => {
  const found = (framing: Framing) => framing.headers?.finish()

  test('is that of the body, from the reply to DATA on', () => {
    const framing = framingOf()
    assert.equal(framing.headers, undefined)
    push(framing, `DATA\r\n${FIELD}`, 3)
    assert.equal(framing.headers, undefined)
    framing.next('body')
    framing.release()
    assert.deepEqual(found(framing), { sandbox: true })
  })

  test('is also filled by bytes that are known to be a body', () => {
    const framing = framingOf()
    framing.next('body')
    const bytes = Buffer.from(`x: y\r\n${FIELD}\r\n.\r\nQUIT\r\n`)
    const { headers } = framing
    assert.equal(framing.pushBody(bytes, 0), bytes.length - 'QUIT\r\n'.length)
    assert.deepEqual(headers?.finish(), { sandbox: true })
    assert.equal(framing.headers, undefined, 'the message has ended')
  })

  test('is that of all chunks of one message', () => {
    const framing = framingOf()
    push(framing, `BDAT 7\r\n${FIELD.slice(0, 7)}NOOP\r\nBDAT 16\r\n${FIELD.slice(7)}`, 5)
    assert.deepEqual(found(framing), { sandbox: true })
  })

  const FORGETTERS = ['MAIL FROM:<a@b>', 'RSET', 'EHLO a', 'HELO a', 'BDAT 0 LAST']
  for (const command of FORGETTERS) {
    test(`begins again after ${command}`, () => {
      const framing = framingOf()
      push(framing, `BDAT 23\r\n${FIELD}`, 9)
      const first = framing.headers
      push(framing, `${command}\r\nBDAT 22\r\n${FIELD.slice(1)}`, 9)
      assert.notEqual(framing.headers, first)
      assert.equal(found(framing), undefined)
      assert.deepEqual(first?.finish(), { sandbox: true })
    })
  }

  test('is dropped with everything else', () => {
    const framing = framingOf()
    framing.next('body')
    framing.clear()
    assert.equal(framing.headers, undefined)
  })

  test('reports the Message-ID only if asked to look for it', () => {
    for (const [wanted, facts] of [
      [true, { messageId: '<a@b>' }],
      [false, undefined],
    ] as const) {
      const framing = framingOf(wanted)
      framing.next('body')
      framing.push(Buffer.from('Message-ID: <a@b>\r\n'), 0)
      assert.deepEqual(found(framing), facts)
    }
  })
})
