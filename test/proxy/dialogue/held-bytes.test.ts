import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { HeldBytes } from '../../../proxy/dialogue/held-bytes.ts'
import { pieceByPiece } from '../../support/in-process/one-byte-pieces.ts'

describe('Held bytes', () => {
  test('keep the time of each piece while they are few, and the order always', () => {
    const held = new HeldBytes()
    pieceByPiece('x'.repeat(64), (piece, index) => held.push(piece, index))
    held.push(Buffer.from('later'), 64)
    held.push(Buffer.from(' still'), 65)
    for (let at = 0; at < 64; at += 1) assert.deepEqual(held.shift(), { bytes: Buffer.from('x'), at })
    held.putBack(Buffer.from('again '), 7)
    assert.equal(held.length, 'again later still'.length)
    assert.deepEqual(held.shift(), { bytes: Buffer.from('again '), at: 7 })
    assert.deepEqual(held.shift(), { bytes: Buffer.from('later still'), at: 64 })
    assert.equal(held.shift(), undefined)
    assert.equal(held.length, 0)
  })

  test('that were joined are followed by pieces with their own time, once all of them were read', () => {
    const held = new HeldBytes()
    pieceByPiece('x'.repeat(100), (piece, index) => held.push(piece, index))
    while (held.shift());
    held.push(Buffer.from('new'), 200)
    assert.deepEqual(held.shift(), { bytes: Buffer.from('new'), at: 200 })
  })

  test('are copies: the buffer that they came in can be read into again', () => {
    const held = new HeldBytes()
    const buffer = Buffer.from('EHLO app')
    held.push(buffer, 1)
    buffer.fill('x')
    assert.deepEqual(held.shift(), { bytes: Buffer.from('EHLO app'), at: 1 })
  })

  test('can be dropped, those with a time of their own and the joined ones', () => {
    const held = new HeldBytes()
    pieceByPiece('x'.repeat(100), (piece, index) => held.push(piece, index))
    held.clear()
    assert.equal(held.length, 0)
    assert.equal(held.shift(), undefined)
  })
})
