import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect, createServer, Socket } from 'node:net'
import { describe, type TestContext, test } from 'node:test'
import { type BlockReader, pooled, ReadPool } from '../../../proxy/connection/read-pool.ts'
import { listenOnLoopback } from '../../support/sockets/listen.ts'

const MIB = 2 ** 20

/** A connected pair: `accepted` has not read anything. */
async function connected(context: TestContext): Promise<{ sender: Socket; accepted: Socket }> {
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true })
  const port = await listenOnLoopback(server)
  const sender = connect(port, '127.0.0.1')
  const [accepted] = (await once(server, 'connection')) as [Socket]
  context.after(() => {
    sender.destroy()
    server.close()
  })
  return { sender, accepted }
}

/** A chunk as it was passed on. `asRead` is a copy made at that time. */
interface Passed {
  readonly chunk: Buffer
  readonly asRead: Buffer
  readonly release: (() => void) | undefined
}

/** Sends `bytes` to a pooled socket and returns what the reader got. */
async function read(context: TestContext, bytes: Buffer, pool: ReadPool, bulk: boolean): Promise<Passed[]> {
  const { sender, accepted } = await connected(context)
  const passed: Passed[] = []
  const reader: BlockReader = {
    bulk: () => bulk,
    data: (chunk, release) => passed.push({ chunk, asRead: Buffer.from(chunk), release }),
  }
  const socket = pooled(accepted, pool, reader)
  assert.ok(socket !== accepted, 'this Node has no way to read into blocks: see pooled()')
  context.after(() => socket.destroy())
  socket.resume()
  sender.end(bytes)
  await once(socket, 'end')
  assert.ok(Buffer.concat(passed.map(({ asRead }) => asRead)).equals(bytes), 'every byte, in order')
  return passed
}

test('a block that was given back is taken next, and at most 64 are kept', () => {
  const pool = new ReadPool()
  const blocks = Array.from({ length: 70 }, () => pool.take())
  assert.equal(new Set(blocks).size, 70)
  for (const block of blocks) pool.give(block)
  const again = Array.from({ length: 70 }, () => pool.take())
  assert.ok(again[0] === blocks[63])
  assert.equal(again.filter((block) => blocks.includes(block)).length, 64)
})

describe('A pooled socket', () => {
  test('reads into a block again only after the block was given back', async (context) => {
    const pool = new ReadPool()
    const kept = await read(context, randomBytes(MIB), pool, true)
    for (const { chunk, asRead } of kept)
      assert.ok(chunk.equals(asRead), 'a block that was not given back was read into')
    const blocks = new Set(kept.map(({ chunk }) => chunk.buffer))
    assert.equal(blocks.size, kept.length)
    kept[0]?.release?.()
    assert.ok(pool.take().buffer === kept[0]?.chunk.buffer)
  })

  for (const [what, size, bulk, inBlock, blocksOut] of [
    ['passes a large read of a body on in its block, to be released', 4096, true, true, 1],
    ['copies a small read of a body out of its block, and reads into the block again', 4095, true, false, 1],
    ['copies a command out of the buffer that all sockets share, and takes no block', 4096, false, false, 0],
  ] as const) {
    test(what, async (context) => {
      const pool = new ReadPool()
      const taken = context.mock.method(pool, 'take')
      const given = context.mock.method(pool, 'give')
      for (const { chunk, release } of await read(context, randomBytes(size), pool, bulk)) {
        const blocks = taken.mock.calls.map(({ result }) => result?.buffer)
        assert.equal(blocks.includes(chunk.buffer), inBlock)
        assert.equal(chunk.buffer === pool.shared.buffer, false)
        assert.equal(release !== undefined, inBlock)
        release?.()
      }
      // the next read of a body would be into the one block that is out
      assert.equal(taken.mock.callCount() - given.mock.callCount(), blocksOut)
    })
  }

  test('is the accepted socket itself if Node has no way to read into a buffer', () => {
    const reader: BlockReader = { bulk: () => true, data: () => assert.fail('reads as usual') }
    const accepted = new Socket()
    assert.equal(pooled(accepted, new ReadPool(), reader), accepted)
  })
})
