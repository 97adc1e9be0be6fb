import assert from 'node:assert/strict'
import { beforeEach, describe, test } from 'node:test'
import type { Attributes } from '@opentelemetry/api'
import { histogramsByPeer, type PeerHistograms, type PeerInstruments } from '../../../otel/metrics/peer-histograms.ts'

const NAMES = [
  'commandDuration',
  'transactionDuration',
  'messageSize',
  'messageRecipients',
  'sessionDuration',
  'sessionMessages',
] as const satisfies (keyof PeerInstruments)[]

describe('The histograms of a peer', () => {
  let lookups: [string, Attributes][]
  let of: (server: string, client: string) => PeerHistograms

  beforeEach(() => {
    lookups = []
    const instrument = (name: string) => ({
      at(attributes: Attributes) {
        lookups.push([name, attributes])
        return { record() {} }
      },
    })
    of = histogramsByPeer(
      Object.fromEntries(NAMES.map((name) => [name, instrument(name)])) as unknown as PeerInstruments,
    )
  })

  test('are the same object for the same upstream and client name, and others for other names', () => {
    assert.equal(of('send.example', 'billing'), of('send.example', 'billing'))
    assert.notEqual(of('send.example', 'billing'), of('send.example', 'other'))
    assert.notEqual(of('send.example', 'billing'), of('send-us.example', 'billing'))
  })

  test('look up each series once, by all its attributes', () => {
    for (let time = 0; time < 2; time += 1) {
      const peer = of('send.example', 'billing')
      const series = [
        peer.commandDuration('MAIL'),
        peer.transactionDuration('accepted'),
        peer.messageSize('accepted'),
        peer.messageRecipients('accepted'),
        peer.sessionDuration('quit'),
        peer.sessionMessages,
      ]
      assert.equal(new Set(series).size, 6)
    }
    const server = { 'server.address': 'send.example' }
    const client = { 'smtp.client.name': 'billing' }
    const outcome = { 'smtp.transaction.outcome': 'accepted' }
    assert.deepEqual(lookups, [
      ['commandDuration', { 'smtp.command': 'MAIL', ...server }],
      ['transactionDuration', { ...outcome, ...server }],
      ['messageSize', { ...outcome, ...client }],
      ['messageRecipients', outcome],
      ['sessionDuration', { 'smtp.session.close_reason': 'quit', ...server, ...client }],
      ['sessionMessages', server],
    ])
  })
})
