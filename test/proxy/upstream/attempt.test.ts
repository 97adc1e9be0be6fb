/** One dial: which failure an error is, and which facts the dial reports. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { DialError, DialPhase } from '../../../proxy/events/closed-sets.ts'
import { Attempt, DialFailed, raced } from '../../../proxy/upstream/attempt.ts'

const SERVER = { host: 'send.example', port: 587, tls: true }

function start(): Attempt {
  return new Attempt(SERVER, 1000)
}

function systemError(code: string, fields: object = {}): Error {
  return Object.assign(new Error(code), { code, ...fields })
}

/** The phase in which an error occurs, the error, and the failure. */
const FAILURES: readonly (readonly [Exclude<DialPhase, 'total'>, error: Error, DialError])[] = [
  ['resolve', systemError('ENOTFOUND'), 'resolve_failed'],
  ['resolve', systemError('EMFILE'), 'local_resources_exhausted'],
  ['connect', systemError('ECONNREFUSED'), 'connect_refused'],
  ['connect', systemError('ENETUNREACH'), 'connect_refused'],
  ['connect', systemError('ECONNRESET'), 'connect_reset'],
  ['connect', systemError('ETIMEDOUT'), 'connect_timeout'],
  ['connect', new Error('aborted'), 'connect_timeout'],
  ['connect', systemError('EADDRNOTAVAIL', { address: '192.0.2.1' }), 'local_resources_exhausted'],
  ['connect', systemError('EADDRNOTAVAIL', { address: '2001:db8::1' }), 'connect_refused'],
  ['greeting', systemError('EPIPE'), 'connect_reset'],
  ['greeting', systemError('EMFILE'), 'connect_reset'],
  ['starttls', systemError('ERR_SSL_WRONG_VERSION_NUMBER'), 'tls_failed'],
  ['starttls', new DialFailed('starttls_refused'), 'starttls_refused'],
]

describe('An error ends the dial', () => {
  for (const [phase, error, reason] of FAILURES) {
    const { code, address } = error as { code?: string; address?: string }
    test(`in ${phase}: ${code ?? error.message}${address ? ` for ${address}` : ''} is ${reason}`, async () => {
      const attempt = start()
      await assert.rejects(attempt.during(phase, () => Promise.reject(error)))
      const failure = attempt.failureOf(error)
      assert.equal(failure.reason, reason)
      assert.equal(failure.advice !== undefined, reason === 'local_resources_exhausted')
    })
  }

  test('in greeting, after the time limit: greeting_timeout', async () => {
    const attempt = start()
    const greeting = attempt.during('greeting', () => attempt.wait(new Promise(() => {})))
    attempt.abort()
    await assert.rejects(greeting)
    assert.equal(attempt.failureOf(attempt.signal.reason).reason, 'greeting_timeout')
  })
})

describe('The detail of a failure', () => {
  for (const [code, detail] of [
    ['CERT_HAS_EXPIRED', 'CERT_HAS_EXPIRED'],
    ['text from a server', undefined],
    [7, undefined],
  ] as const) {
    test(`${code}: ${detail}`, () => assert.equal(new DialFailed('tls_failed', { code }).detail, detail))
  }
})

test('the facts have the phases that were entered, and the failure', async () => {
  const attempt = start()
  await attempt.during('resolve', async () => [])
  const error = systemError('ECONNREFUSED')
  await assert.rejects(attempt.during('connect', () => Promise.reject(error)))
  const { phases, at, end, ...rest } = attempt.facts(attempt.failureOf(error))
  assert.deepEqual(Object.keys(phases), ['resolve', 'connect', 'total'])
  assert.equal(phases.total, end - at)
  assert.deepEqual(rest, {
    type: 'dial',
    serverAddress: 'send.example',
    serverPort: 587,
    resumed: false,
    error: 'connect_refused',
    detail: 'ECONNREFUSED',
  })
})

describe('A step of a dial', () => {
  test('fails when the dial is aborted, and its later rejection is ignored', async () => {
    const attempt = start()
    const step = Promise.withResolvers<void>()
    const waiting = attempt.wait(step.promise)
    attempt.abort()
    await assert.rejects(waiting, { name: 'AbortError' })
    step.reject(new Error('late'))
    await new Promise(setImmediate)
  })

  test('fails immediately after the dial was aborted', async () => {
    const attempt = start()
    attempt.abort()
    await assert.rejects(attempt.wait(new Promise(() => {})), { name: 'AbortError' })
    await assert.rejects(attempt.wait(Promise.reject(new Error('late'))), { name: 'AbortError' })
  })

  test('settles like its work', async () => {
    const attempt = start()
    assert.equal(await attempt.wait(Promise.resolve(7)), 7)
    await assert.rejects(attempt.wait(Promise.reject(new Error('failed'))), { message: 'failed' })
    attempt.abort()
  })
})

describe('raced', () => {
  test('rejects immediately if the signal has aborted, and ignores a later rejection', async () => {
    const signal = AbortSignal.abort(new Error('aborted'))
    const work = Promise.withResolvers<void>()
    await assert.rejects(raced(work.promise, signal), { message: 'aborted' })
    work.reject(new Error('late'))
    await new Promise(setImmediate)
  })

  test('settles like the work, and leaves no listener on the signal', async (t) => {
    const { signal } = new AbortController()
    const removed = t.mock.method(signal, 'removeEventListener')
    assert.equal(await raced(Promise.resolve(7), signal), 7)
    await assert.rejects(raced(Promise.reject(new Error('failed')), signal), { message: 'failed' })
    await new Promise(setImmediate)
    assert.equal(removed.mock.callCount(), 2)
  })
})
