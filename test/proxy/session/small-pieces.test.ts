/**
 * Clients that cut what they send into very small pieces. Each piece is a Buffer, which costs about 350 bytes however
 * small it is: memory must stay in proportion to the bytes.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { describe, test } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import * as tls from 'node:tls'
import { Framing, MAX_HELD_BYTES } from '../../../proxy/dialogue/framing.ts'
import { ClientRig } from '../../support/in-process/client-rig.ts'
import { pieceByPiece } from '../../support/in-process/one-byte-pieces.ts'
import { retainedBytes } from '../../support/in-process/retained-bytes.ts'
import type { Peer } from '../../support/sockets/scripted-peers.ts'
import { sendRecords } from '../../support/tls/small-records.ts'

const MEBIBYTE = 1024 * 1024

describe('Copies of client bytes that wait for the reply to DATA', () => {
  test('need little more memory than they hold bytes', async () => {
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

/** More than the 64 KiB that the proxy keeps: what waits in the stream of its TLS socket counts, too. */
const RECORDS = 160_000

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
