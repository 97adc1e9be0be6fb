/**
 * Clients that cut what they send into very small pieces. Each piece is a Buffer, which costs about 350 bytes however
 * small it is: memory must stay in proportion to the bytes.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import * as net from 'node:net'
import { Writable } from 'node:stream'
import { describe, type TestContext, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import * as tls from 'node:tls'
import { ClientConnection } from '../../../proxy/connection/client-connection.ts'
import { UpstreamWriter } from '../../../proxy/connection/upstream-writer.ts'
import { ByteQueue } from '../../../proxy/dialogue/byte-queue.ts'
import { Framing, MAX_HELD_BYTES } from '../../../proxy/dialogue/framing.ts'
import { HeldBytes } from '../../../proxy/dialogue/held-bytes.ts'
import { ClientRig } from '../../support/in-process/client-rig.ts'
import { retainedBytes } from '../../support/in-process/retained-bytes.ts'
import type { Peer } from '../../support/sockets/scripted-peers.ts'
import { makeAuthority } from '../../support/tls/certificates.ts'
import { sendRecords } from '../../support/tls/small-records.ts'

const MEBIBYTE = 1024 * 1024

/** Calls `use` with `count` Buffers of one byte, each with its own ArrayBuffer, as Node's TLS makes them. */
function pieceByPiece(text: string, use: (piece: Buffer, index: number) => void): void {
  for (let index = 0; index < text.length; index += 1)
    use(Buffer.from(Uint8Array.of(text.charCodeAt(index)).buffer), index)
}

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

  test('needs little more memory than it holds bytes: 64 KiB in pieces of one byte', async () => {
    const before = await retainedBytes()
    const queue = new ByteQueue()
    pieceByPiece('x'.repeat(MAX_HELD_BYTES), (piece) => queue.push(piece))
    const kept = (await retainedBytes()) - before
    assert.ok(kept < MEBIBYTE / 2, `${kept} bytes`)
    assert.equal(queue.take().length, MAX_HELD_BYTES)
  })
})

describe('Held copies', () => {
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

  test('need little more memory than they hold bytes, after DATA', async () => {
    const silent = { command() {}, saslResponse() {}, endOfBody() {}, overflow() {} }
    const before = await retainedBytes()
    const framing = new Framing(silent)
    framing.push(Buffer.from('DATA\r\n'), 0)
    pieceByPiece('x'.repeat(MAX_HELD_BYTES), (piece, index) => framing.push(piece, index))
    const kept = (await retainedBytes()) - before
    assert.ok(kept < MEBIBYTE / 2, `${kept} bytes`)
    framing.next('body')
    framing.release()
    assert.equal(framing.bodySize, MAX_HELD_BYTES)
  })
})

/** A socket whose kernel buffer is full until `taken` is called for the write that waits. */
class FullSocket extends Writable {
  readonly waiting: (() => void)[] = []

  constructor() {
    super({ highWaterMark: 64 * 1024 })
  }

  get unsent(): number {
    return this.writableLength
  }

  override _write(_chunk: Buffer, _encoding: string, done: () => void): void {
    this.waiting.push(done)
  }
}

describe('The writer to the upstream', () => {
  test('is full after 64 small writes that the kernel does not take, and free again when it takes one', async () => {
    const socket = new FullSocket()
    let freed = 0
    const writer = new UpstreamWriter(socket, () => freed++)
    for (let count = 0; count < 64; count += 1) {
      assert.equal(writer.full, false)
      writer.write(Buffer.from('x'))
    }
    writer.write(Buffer.from('x')) // the first one is with the kernel, and 64 wait
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
    for (let count = 0; count < 65; count += 1) writer.write(Buffer.from('x'))
    socket.on('error', () => {}).destroy(new Error('reset'))
    await new Promise((closed) => socket.once('close', closed)) // `once` of node:events rejects at an error
    writer.write(Buffer.from('x'))
    assert.equal(writer.transmit, 65)
  })
})

/** More than the 64 KiB that the proxy keeps: what waits in the stream of its TLS socket counts, too. */
const RECORDS = 160_000

/** A record of one byte is at least 22 bytes long (RFC 8446 5.2), and a read 64 KiB. */
const MAX_RECORDS_IN_A_READ = (64 * 1024) / 22

describe('A client inside TLS that sends records of one byte', () => {
  for (const when of ['before the greeting', 'after DATA'] as const) {
    test(`costs less than 1 MiB ${when}`, async (t) => {
      const rig = await ClientRig.open({ listener: 'smtps' })
      const client = tls.connect({ port: rig.port, ...rig.clientTls })
      client.setNoDelay(true).on('data', () => {})
      t.after(() => rig.close())
      await once(client, 'secureConnect')
      const upstream = await rig.upstream.accept()
      if (when === 'after DATA') await askForBody(rig, client, upstream)
      const before = await retainedBytes()
      await sendRecords(client, RECORDS)
      const kept = await settledAt((bytes) => bytes - before < MEBIBYTE)
      client.destroy()
      upstream.destroy()
      assert.ok(kept - before < MEBIBYTE, `${kept - before} bytes`)
    })
  }

  /** No event shows that the proxy has stopped reading: samples for some seconds. Returns the last figure. */
  async function settledAt(enough: (bytes: number) => boolean): Promise<number> {
    for (let look = 0; ; look += 1) {
      await pause(500)
      const bytes = await retainedBytes()
      if (look === 9 || (look > 0 && enough(bytes))) return bytes
    }
  }

  /** The client has sent DATA, and the upstream does not answer. */
  async function askForBody(rig: ClientRig, client: tls.TLSSocket, upstream: Peer): Promise<void> {
    await rig.preamble(upstream)
    for (const [said, answer] of [
      ['MAIL FROM:<a@example.com>\r\n', '250 ok\r\n'],
      ['RCPT TO:<b@example.net>\r\n', '250 ok\r\n'],
      ['DATA\r\n', ''],
    ] as const) {
      client.write(said)
      await upstream.readBytes(said.length)
      if (answer !== '') await upstream.send(answer)
    }
  }
})

describe('The connection of a client inside TLS', () => {
  /** A connection that counts the pieces that it reads, and its client. Nothing is read yet. */
  async function connected(t: TestContext) {
    const { certPem: cert, keyPem: key } = await (await makeAuthority()).issue()
    const server = net.createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const accepted = once(server, 'connection') as Promise<[net.Socket]>
    const client = tls.connect({ port: (server.address() as net.AddressInfo).port, rejectUnauthorized: false })
    const connection = new ClientConnection((await accepted)[0])
    const read = { pieces: 0 }
    connection.listen({ data: () => read.pieces++, ended() {}, drained() {}, closed() {} })
    await connection.secureWith(tls.createSecureContext({ cert, key }), 'smtps', 15_000)
    client.setNoDelay(true)
    t.after(() => {
      client.destroy()
      connection.destroy()
      server.close()
    })
    return { client, connection, read }
  }

  test('reads the TCP socket once a turn if the records are very small', async (t) => {
    const { client, connection, read } = await connected(t)
    const count = 30_000
    connection.pause()
    await sendRecords(client, count)
    const before = read.pieces
    assert.ok(before < MAX_RECORDS_IN_A_READ, `${before} records were read although it was paused`)
    connection.resume()
    let most = 0
    for (let seen = before; seen < count; ) {
      await new Promise((turn) => setImmediate(turn))
      most = Math.max(most, read.pieces - seen)
      seen = read.pieces
    }
    assert.ok(most <= 2 * MAX_RECORDS_IN_A_READ, `${most} records in one turn`)
  })

  test('stays paused if its owner pauses it while it rests for other sockets', async (t) => {
    const { client, connection, read } = await connected(t)
    connection.listen({
      data: () => {
        read.pieces += 1
        if (read.pieces === 300) connection.pause()
      },
      ended() {},
      drained() {},
      closed() {},
    })
    connection.resume()
    await sendRecords(client, 30_000)
    await pause(300) // no event shows that nothing more is read
    assert.ok(read.pieces < 300 + MAX_RECORDS_IN_A_READ, `${read.pieces} records were read`)
    connection.resume()
    while (read.pieces < 30_000) await pause(5)
  })
})
