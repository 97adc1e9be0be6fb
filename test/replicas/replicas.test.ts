/**
 * Several proxies behind HAProxy, with the configuration of compose.yaml, and behind a name with several addresses: rolling
 * restarts, scale-out, a kill and scale-in under load. `npm run restarts` plays 20 restarts with the default drain
 * timeout.
 */
import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import { unless } from '../support/programs/programs.ts'
import { type Books, duplicated, inDoubt, lost, miscounted, sumOf, unreported } from './books.ts'
import { haproxyMissing } from './haproxy.ts'
import { reportOf } from './report.ts'
import { run, type Way } from './run.ts'

/** Restarts one after another take about two seconds each. */
const RUNS: readonly (readonly [way: Way, title: string, restarts: number, missing: string | undefined])[] = [
  ['haproxy', 'Behind HAProxy', 10, haproxyMissing()],
  ['dns', 'Behind a name with several addresses', 4, undefined],
]

const LOAD = { drainSeconds: 3, senders: 5, everyMs: 250 }

describe('Rolling restarts', { concurrency: true }, () => {
  for (const [way, title, restarts, missing] of RUNS)
    describe(`${title}, ${restarts} restarts`, unless(missing), () => {
      let books: Books
      before(async () => {
        books = await run({ ...LOAD, way, restarts })
      })

      test('lose no message (LIF-09)', (context) => {
        context.diagnostic(reportOf(books))
        assert.ok(books.messages.length > 100)
        assert.deepEqual(lost(books), [])
      })

      test('duplicate no message (LIF-09)', () => {
        assert.deepEqual(duplicated(books), [])
      })

      test('end with exit code 0, and cut no message that AhaSend answers (LIF-09)', () => {
        const stopped = books.lives.filter(({ killed }) => !killed)
        assert.deepEqual([...new Set(stopped.map(({ exitCode }) => exitCode))], [0])
        // the one that AhaSend did not answer
        assert.equal(
          stopped.reduce((sum, { cut }) => sum + cut, 0),
          1,
        )
      })

      test('leave metrics that together are what AhaSend has, by app (LIF-09)', () => {
        assert.deepEqual(miscounted(books), [])
      })

      test('report each message in doubt, in metrics and logs (LIF-09)', () => {
        assert.deepEqual(unreported(books), [])
        assert.equal(sumOf(books.lives, 'in_doubt'), 1)
        assert.ok(inDoubt(books).length >= 1)
      })
    })
})
