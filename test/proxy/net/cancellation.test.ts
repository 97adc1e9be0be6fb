/** What ends dials that no one waits for any more. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Cancellation } from '../../../proxy/net/cancellation.ts'

test('is aborted once, with an error, and then calls each listener once', () => {
  const cancellation = new Cancellation()
  const calls: string[] = []
  cancellation.addEventListener('abort', () => calls.push('first'))
  cancellation.addEventListener('abort', () => calls.push('second'))
  assert.deepEqual([cancellation.aborted, cancellation.reason], [false, undefined])
  cancellation.abort()
  const { reason } = cancellation
  assert.ok(cancellation.aborted && reason instanceof Error)
  cancellation.abort()
  assert.deepEqual(calls, ['first', 'second'])
  assert.equal(cancellation.reason, reason)
})

test('does not call a listener that was removed, also while it calls the others', () => {
  const cancellation = new Cancellation()
  const calls: string[] = []
  const removed = () => calls.push('removed')
  cancellation.addEventListener('abort', removed)
  cancellation.addEventListener('abort', () => cancellation.removeEventListener('abort', late))
  const late = () => calls.push('late')
  cancellation.addEventListener('abort', late)
  cancellation.removeEventListener('abort', removed)
  cancellation.abort()
  assert.deepEqual(calls, [])
})

test('an exception of one listener does not keep the others for a second call', () => {
  const cancellation = new Cancellation()
  const calls: string[] = []
  cancellation.addEventListener('abort', () => calls.push('first'))
  cancellation.addEventListener('abort', () => {
    throw new Error('a bug')
  })
  assert.throws(() => cancellation.abort(), /a bug/)
  cancellation.addEventListener('abort', () => calls.push('too late'))
  cancellation.abort()
  assert.deepEqual(calls, ['first'])
})
