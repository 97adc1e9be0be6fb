import assert from 'node:assert/strict'
import { Writable } from 'node:stream'
import { describe, test } from 'node:test'
import { UpstreamWriter } from '../../../proxy/connection/upstream-writer.ts'

/** A socket whose kernel buffer is full until the test takes the write that waits. */
class FullSocket extends Writable {
  readonly waiting: ((error?: Error) => void)[] = []

  constructor() {
    super({ highWaterMark: 64 * 1024 })
  }

  get unsent(): number {
    return this.writableLength
  }

  override _write(_chunk: Buffer, _encoding: string, done: (error?: Error) => void): void {
    this.waiting.push(done)
  }
}

const SMALL = Buffer.from('x')

describe('The writer to the upstream', () => {
  test('is full after 64 small writes that the kernel does not take, and free again when it takes one', async () => {
    const socket = new FullSocket()
    let freed = 0
    const writer = new UpstreamWriter(socket, () => freed++)
    for (let count = 0; count < 64; count += 1) {
      assert.equal(writer.full, false)
      writer.write(SMALL)
    }
    assert.equal(writer.full, false, 'the first write does not count: none waited before it')
    writer.write(SMALL) // the first one is with the kernel, and 64 wait
    assert.deepEqual([writer.full, freed, writer.transmit], [true, 0, 65])
    socket.waiting.shift()?.()
    assert.equal(writer.full, true, 'that was the one that no other waited for')
    socket.waiting.shift()?.()
    assert.deepEqual([writer.full, freed], [false, 1])
  })

  test('is full after 64 KiB otherwise, and counts no large writes', () => {
    const writer = new UpstreamWriter(new FullSocket(), () => assert.fail('never full of small ones'))
    for (let count = 0; count < 16; count += 1) {
      assert.equal(writer.full, false)
      writer.write(Buffer.alloc(4096))
    }
    assert.equal(writer.full, true)
  })

  test('does not report that it is free when the socket fails', async () => {
    const socket = new FullSocket()
    const writer = new UpstreamWriter(socket, () => assert.fail('nothing can be written'))
    for (let count = 0; count < 65; count += 1) writer.write(SMALL)
    socket.on('error', () => {}).destroy(new Error('reset'))
    await new Promise((closed) => socket.once('close', closed)) // `once` of node:events rejects at an error
    writer.write(SMALL)
    assert.equal(writer.transmit, 65)
  })

  test('reports when the socket no longer needs the bytes of one write, and does not count that write as small', () => {
    const socket = new FullSocket()
    const writer = new UpstreamWriter(socket, () => assert.fail('never full of small ones'))
    let sent = 0
    for (let count = 0; count < 100; count += 1) writer.write(SMALL, () => sent++)
    assert.deepEqual([writer.full, sent], [false, 0])
    socket.waiting.shift()?.()
    assert.equal(sent, 1)
  })

  test('never reports that for a write that failed', async () => {
    const socket = new FullSocket()
    const writer = new UpstreamWriter(socket, () => {})
    for (let count = 0; count < 2; count += 1) writer.write(SMALL, () => assert.fail('the write failed'))
    socket.on('error', () => {})
    socket.waiting.shift()?.(new Error('reset'))
    await new Promise((closed) => socket.once('close', closed))
  })

  test('writes nothing for no bytes', () => {
    const socket = new FullSocket()
    const writer = new UpstreamWriter(socket, () => {})
    writer.write(Buffer.alloc(0))
    assert.deepEqual([writer.transmit, socket.waiting.length], [0, 0])
  })
})
