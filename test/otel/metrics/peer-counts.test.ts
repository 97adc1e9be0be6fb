import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { Cells } from '../../../otel/instruments/instruments.ts'
import { type PeerCounters, Peers } from '../../../otel/metrics/peer-counts.ts'
import { commands, replyCauses, replyOrigins, transactionErrors } from '../../../otel/names/names.ts'

/** Counters without a limit that matters here. */
function counters(): PeerCounters {
  return { replies: new Cells(100_000), transactions: new Cells(1000), recipients: new Cells(1000) }
}

/** The values of all series of a counter. */
function valuesOf(cells: Pick<PeerCounters[keyof PeerCounters], 'observe'>): number[] {
  const values: number[] = []
  cells.observe({ observe: (value) => values.push(value) })
  return values
}

const PEER = { 'server.address': 'send.example', 'smtp.client.name': 'billing' }

test('each pair of an upstream and a client name has its own counts, always the same ones', () => {
  const peers = new Peers(counters())
  const counts = peers.of('send.example', 'billing')
  assert.equal(peers.of('send.example', 'billing'), counts)
  assert.notEqual(peers.of('send.example', 'other'), counts)
  assert.notEqual(peers.of('send-us.example', 'billing'), counts)
})

describe('The series of a reply', () => {
  test('has the labels of exactly that command, code, cause and origin, at every lookup', () => {
    const counts = new Peers(counters()).of('send.example', 'billing')
    for (let lookup = 1; lookup <= 2; lookup += 1)
      for (const command of commands)
        for (const cause of replyCauses)
          for (const origin of replyOrigins)
            for (const code of [0, 200, 421, 599])
              assert.deepEqual(counts.reply(command, { code, cause, origin }).attributes, {
                'smtp.command': command,
                'smtp.reply.code': code,
                'smtp.reply.cause': cause,
                'smtp.reply.origin': origin,
                ...PEER,
              })
  })

  for (const code of [-1, 1, 199, 600, 999, 250.5, Number.NaN, Number.POSITIVE_INFINITY]) {
    test(`has the code 0 for ${code}, which is not a reply code`, () => {
      const counts = new Peers(counters()).of('send.example', 'billing')
      const cell = counts.reply('MAIL', { code, cause: 'none', origin: 'upstream' })
      assert.equal(cell.attributes['smtp.reply.code'], 0)
    })
  }
})

describe('The series of an outcome', () => {
  const counts = new Peers(counters()).of('send.example', 'billing')
  const cases: readonly (readonly [error: string | undefined, label: string | undefined])[] = [
    [undefined, undefined],
    ['521', '521'],
    ['200', '200'],
    ...transactionErrors.map((error) => [error, error] as const),
    ['99', '0'],
    ['600', '0'],
    ['', '0'],
    ['text of a peer', '0'],
  ]
  for (const [error, label] of cases) {
    test(`has for the error ${JSON.stringify(error)} the error type ${JSON.stringify(label)}`, () => {
      const cell = counts.transaction('tempfail', error)
      assert.equal(cell.attributes['error.type'], label)
      assert.equal('error.type' in cell.attributes, label !== undefined)
      assert.equal(counts.transaction('tempfail', error), cell)
    })
  }
})

test('startAtZero creates series with the value 0', () => {
  const all = counters()
  new Peers(all).of('send.example', 'billing').startAtZero()
  for (const cells of Object.values(all)) {
    const values = valuesOf(cells)
    assert.ok(values.length >= 3)
    assert.ok(values.every((value) => value === 0))
  }
})
