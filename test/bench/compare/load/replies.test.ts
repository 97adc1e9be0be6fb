/** The reply counter of the load generator and of the observing prototype. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ReplyCounter } from '../../../../bench/compare/load/replies.ts'

const TEXT = '220 hello\r\n250-first\r\n250 last\r\n354 go\r\n'

describe('ReplyCounter', () => {
  test('counts the last line of each reply, whole, byte by byte and at every cut', () => {
    for (let cut = 0; cut <= TEXT.length; cut += 1) {
      const counter = new ReplyCounter()
      assert.equal(
        counter.push(Buffer.from(TEXT.slice(0, cut))) + counter.push(Buffer.from(TEXT.slice(cut))),
        3,
        `${cut}`,
      )
      assert.equal(counter.refusals, 0)
    }
    const counter = new ReplyCounter()
    assert.equal(
      [...TEXT].reduce((sum, byte) => sum + counter.push(Buffer.from(byte)), 0),
      3,
    )
  })

  test('keeps the last refusal', () => {
    const counter = new ReplyCounter()
    assert.equal(counter.push(Buffer.from('250 ok\r\n421 4.3.2 later\r\n')), 2)
    assert.deepEqual([counter.refusals, counter.refusal], [1, '421 4.3.2 later'])
  })
})
