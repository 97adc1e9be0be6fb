import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { ByteQueue } from '../../../proxy/dialogue/byte-queue.ts'
import { MAX_HELD_BYTES } from '../../../proxy/dialogue/framing.ts'
import { pieceByPiece } from '../../support/in-process/one-byte-pieces.ts'
import { retainedBytes } from '../../support/in-process/retained-bytes.ts'

const MEBIBYTE = 1024 * 1024

describe('A queue of bytes', () => {
  test('returns what was pushed, in order, however it was cut, and a single piece without a copy', () => {
    const text = 'abcdefgh'.repeat(1000)
    const queue = new ByteQueue()
    assert.equal(queue.empty, true)
    pieceByPiece(text, (piece) => queue.push(piece))
    queue.putBack(Buffer.from('first'))
    queue.putBack(Buffer.alloc(0))
    queue.push(Buffer.from('last'))
    assert.equal(queue.length, `first${text}last`.length)
    assert.equal(queue.take().toString(), `first${text}last`)
    assert.deepEqual([queue.empty, queue.length], [true, 0])
    const alone = Buffer.from('alone')
    queue.push(alone)
    assert.equal(queue.take(), alone)
  })

  test('returns no bytes if it is empty', () => {
    const queue = new ByteQueue()
    assert.equal(queue.take().length, 0)
    queue.putBack(Buffer.alloc(0))
    assert.equal(queue.empty, true)
    queue.push(Buffer.from('dropped'))
    queue.clear()
    assert.deepEqual([queue.empty, queue.length, queue.take().length], [true, 0, 0])
  })

  test('needs little more memory than it holds bytes: 64 KiB in pieces of one byte', async () => {
    const before = await retainedBytes()
    const queue = new ByteQueue()
    pieceByPiece('x'.repeat(MAX_HELD_BYTES), (piece) => queue.push(piece))
    const kept = (await retainedBytes()) - before
    assert.ok(kept < MEBIBYTE / 2, `${kept} bytes`)
    assert.equal(queue.take().length, MAX_HELD_BYTES)
  })
})
