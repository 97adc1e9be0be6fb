import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Clock, resting } from '../../../otel/metrics/resting.ts'

/** Time that passes only when somebody waits or works. */
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

/** Work that takes so long and tells how often it was done. */
function work(clock: FakeClock, milliseconds: number): () => Promise<number> {
  let done = 0
  return async () => {
    clock.time += milliseconds
    done += 1
    return done
  }
}

test('callers that come together get one result', async () => {
  const clock = new FakeClock()
  const ask = resting(work(clock, 5), clock)
  assert.deepEqual(await Promise.all([ask(), ask(), ask()]), [1, 1, 1])
  assert.deepEqual(clock.waits, [])
})

test('who asks without pause gets a fiftieth of the time', async () => {
  const clock = new FakeClock()
  const ask = resting(work(clock, 5), clock)
  for (let call = 1; call <= 100; call += 1) assert.equal(await ask(), call)
  assert.equal(clock.time, 99 * 250 + 5)
})

test('those who wait get one result, made after they asked', async () => {
  const clock = new FakeClock()
  const ask = resting(work(clock, 5), clock)
  await ask()
  assert.deepEqual(await Promise.all([ask(), ask()]), [2, 2])
  assert.deepEqual(clock.waits, [245])
})

test('who asks seldom never waits', async () => {
  const clock = new FakeClock()
  const ask = resting(work(clock, 5), clock)
  await ask()
  clock.time += 245
  await ask()
  assert.deepEqual(clock.waits, [])
})

test('after long work the rest is a second', async () => {
  const clock = new FakeClock()
  const ask = resting(work(clock, 400), clock)
  await ask()
  await ask()
  assert.deepEqual(clock.waits, [1000])
})

test('work that fails is a failure for those who asked, and is done again for the next', async () => {
  const clock = new FakeClock()
  let fails = true
  const ask = resting(async () => {
    clock.time += 5
    if (fails) throw new Error('failed')
    return 'made'
  }, clock)
  await assert.rejects(ask(), /failed/)
  fails = false
  assert.equal(await ask(), 'made')
  assert.deepEqual(clock.waits, [245])
})
