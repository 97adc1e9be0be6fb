import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Clock, throttle } from '../../../otel/metrics/throttle.ts'

/** A clock that advances only during waits and work. */
class FakeClock implements Clock {
  time = 0
  readonly waits: number[] = []

  now(): number {
    return this.time
  }

  async wait(milliseconds: number): Promise<void> {
    this.waits.push(milliseconds)
    this.time += milliseconds
  }
}

/** Work that takes `milliseconds` and returns the number of runs. */
function work(clock: FakeClock, milliseconds: number): () => Promise<number> {
  let done = 0
  return async () => {
    clock.time += milliseconds
    done += 1
    return done
  }
}

test('concurrent callers share one result', async () => {
  const clock = new FakeClock()
  const ask = throttle(work(clock, 5), clock)
  assert.deepEqual(await Promise.all([ask(), ask(), ask()]), [1, 1, 1])
  assert.deepEqual(clock.waits, [])
})

test('calls without pause take 1/50 of the time', async () => {
  const clock = new FakeClock()
  const ask = throttle(work(clock, 5), clock)
  for (let call = 1; call <= 100; call += 1) assert.equal(await ask(), call)
  assert.equal(clock.time, 99 * 250 + 5)
})

test('callers that wait share one result, which is made after they asked', async () => {
  const clock = new FakeClock()
  const ask = throttle(work(clock, 5), clock)
  await ask()
  assert.deepEqual(await Promise.all([ask(), ask()]), [2, 2])
  assert.deepEqual(clock.waits, [245])
})

test('rare calls never wait', async () => {
  const clock = new FakeClock()
  const ask = throttle(work(clock, 5), clock)
  await ask()
  clock.time += 245
  await ask()
  assert.deepEqual(clock.waits, [])
})

test('after long work the pause is one second', async () => {
  const clock = new FakeClock()
  const ask = throttle(work(clock, 400), clock)
  await ask()
  await ask()
  assert.deepEqual(clock.waits, [1000])
})

test('work that fails rejects for its callers, and runs again for the next one', async () => {
  const clock = new FakeClock()
  let fails = true
  const ask = throttle(async () => {
    clock.time += 5
    if (fails) throw new Error('failed')
    return 'made'
  }, clock)
  await assert.rejects(ask(), /failed/)
  fails = false
  assert.equal(await ask(), 'made')
  assert.deepEqual(clock.waits, [245])
})
