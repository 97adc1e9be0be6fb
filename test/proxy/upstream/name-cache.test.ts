/** DNS answers that are kept: when sessions wait for the resolver, what they get while it fails, and for how long. */
import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import type { Lookup } from '../../../proxy/events/dial.ts'
import { type Answer, LAST_GOOD_MS, MISSING_MS, NameCache, OVERDUE_MS } from '../../../proxy/upstream/name-cache.ts'
import { withoutDescriptors } from '../../support/in-process/no-descriptors.ts'
import { Names, type Answer as ResolverAnswer } from '../../support/in-process/resolver.ts'

const SECOND = 1000
const MINUTE = 60 * SECOND
const OLD = ['192.0.2.1']
const NEW = ['192.0.2.2']
/** A resolver that does not answer. */
const SILENCE = new Promise<never>(() => {})

let names = 0

/** The cache in front of a resolver of the test, and a clock that the test sets. */
class Rig implements Disposable {
  readonly resolver: Names
  readonly cache: NameCache
  readonly reported: Lookup[] = []
  /** A name of its own: a lookup that never ends is shared by all later ones of its name. */
  readonly host = `mail-${names++}.test`
  time = 0

  constructor(answer: ResolverAnswer) {
    this.resolver = new Names({ [this.host]: answer })
    this.cache = new NameCache(
      (lookup) => this.reported.push(lookup),
      () => this.time,
    )
  }

  /** A cache that has an answer. */
  static async with(addresses: readonly string[]): Promise<Rig> {
    const rig = new Rig(addresses)
    await rig.found()
    return rig
  }

  /** The addresses that a session gets without waiting. */
  get ready(): readonly string[] | 'must wait' {
    const answer = this.cache.find(this.host)
    return answer instanceof Promise ? 'must wait' : answer.addresses
  }

  /** The addresses, or the resolver's error. */
  async found(): Promise<readonly string[] | string> {
    try {
      return (await this.cache.find(this.host)).addresses
    } catch (error) {
      return String((error as { code?: unknown }).code)
    }
  }

  /** Changes the resolver's answer. */
  answers(answer: ResolverAnswer): void {
    this.resolver.set(this.host, answer)
  }

  /** Advances the time, with a tick every second. Lookups end in between. */
  async pass(ms: number): Promise<void> {
    for (const end = this.time + ms; this.time < end; ) {
      this.time = Math.min(end, this.time + SECOND)
      this.cache.tick()
      await settle()
    }
  }

  [Symbol.dispose](): void {
    this.cache.close()
    this.resolver[Symbol.dispose]()
  }
}

function settle(): Promise<void> {
  return new Promise((turn) => setImmediate(turn))
}

/** Replaces the timer that ends the wait for a lookup. */
function mockTimers({ mock }: TestContext): (ms: number) => void {
  mock.timers.enable({ apis: ['setTimeout'] })
  return (ms) => mock.timers.tick(ms)
}

describe('The addresses of an upstream', () => {
  test('are the resolver’s first answer, for which all sessions wait, however slow it is', async (context) => {
    const { promise, resolve } = Promise.withResolvers<readonly string[]>()
    const tick = mockTimers(context)
    using rig = new Rig(promise)
    const waiting = [rig.found(), rig.found()]
    rig.time = 8 * SECOND
    tick(8 * SECOND)
    await settle()
    resolve(OLD)
    assert.deepEqual(await Promise.all(waiting), [OLD, OLD])
    assert.deepEqual(rig.resolver.asked, [rig.host])
    assert.deepEqual(
      rig.reported.map(({ error, answerAgeMs }) => [error, answerAgeMs]),
      [['resolver_timeout', undefined]],
      'reported once, when it was overdue',
    )
  })

  test('are known without waiting while the name is in use, and looked up every five seconds', async () => {
    using rig = await Rig.with(OLD)
    for (let second = 0; second < 60; second += 1) {
      assert.deepEqual(rig.ready, OLD)
      await rig.pass(SECOND)
    }
    assert.equal(rig.resolver.asked.length, 1 + 60 / 5)
    assert.ok(rig.reported.every(({ error }) => error === undefined))
    assert.deepEqual(rig.reported[0], { type: 'lookup', at: 0, end: 0, serverAddress: rig.host })
  })

  test('are no longer looked up three minutes after their last use; the next session waits for a lookup', async () => {
    using rig = await Rig.with(OLD)
    await rig.pass(3 * MINUTE)
    const { length } = rig.resolver.asked
    await rig.pass(60 * MINUTE)
    assert.equal(rig.resolver.asked.length, length)
    rig.answers(NEW)
    assert.deepEqual(rig.ready, 'must wait')
    assert.deepEqual(await rig.found(), NEW)
  })

  test('change within seconds after the answer changed', async () => {
    using rig = await Rig.with(OLD)
    await rig.pass(3 * SECOND)
    rig.answers(NEW)
    assert.deepEqual(rig.ready, OLD)
    await rig.pass(3 * SECOND)
    assert.deepEqual(rig.ready, NEW)
  })

  test('lose a family that the resolver no longer finds, and get it back', async () => {
    using rig = await Rig.with(['2001:db8::1', '192.0.2.1'])
    for (const answer of [['192.0.2.1'], ['2001:db8::1'], ['192.0.2.1', '2001:db8::1']]) {
      rig.answers(answer)
      await rig.pass(6 * SECOND)
      assert.deepEqual(rig.ready, answer)
    }
  })

  test('are the address itself, without a lookup', async () => {
    using rig = new Rig('EAI_AGAIN')
    const answer = rig.cache.find('192.0.2.9') as Answer
    assert.deepEqual(answer.addresses, ['192.0.2.9'])
    assert.deepEqual(rig.resolver.asked, [])
  })

  test('are an error if the first lookup fails, and the next session asks again', async () => {
    using rig = new Rig('EAI_AGAIN')
    assert.equal(await rig.found(), 'EAI_AGAIN')
    rig.answers('ENOTFOUND')
    assert.equal(await rig.found(), 'ENOTFOUND')
    rig.answers(NEW)
    assert.deepEqual(await rig.found(), NEW)
    assert.deepEqual(
      rig.reported.map(({ error, detail }) => [error, detail]),
      [
        ['resolver_failed', 'EAI_AGAIN'],
        ['name_not_found', 'ENOTFOUND'],
        [undefined, undefined],
      ],
    )
  })
})

describe('The last good answer', () => {
  /** How the resolver fails, and how long the answer is used. */
  const FAILURES: readonly (readonly [string, ResolverAnswer, Lookup['error'], limitMs: number])[] = [
    ['reports an error', 'EAI_AGAIN', 'resolver_failed', LAST_GOOD_MS],
    ['is out of memory', 'EAI_MEMORY', 'resolver_failed', LAST_GOOD_MS],
    ['says that there is no such name', 'ENOTFOUND', 'name_not_found', MISSING_MS],
  ]
  for (const [what, failure, error, limitMs] of FAILURES) {
    test(`is used without waiting while the resolver ${what}, for ${limitMs / MINUTE} minutes`, async () => {
      using rig = await Rig.with(OLD)
      rig.answers(failure)
      await rig.pass(5 * SECOND) // the first lookup that fails
      for (const end = rig.time + limitMs - 6 * SECOND; rig.time < end; ) {
        assert.deepEqual(rig.ready, OLD, `after ${rig.time} ms`)
        await rig.pass(SECOND)
      }
      const last = rig.reported.at(-1)!
      assert.deepEqual([last.error, last.detail], [error, failure])
      assert.ok(last.answerAgeMs! >= limitMs - 15 * SECOND && last.answerAgeMs! < limitMs, `${last.answerAgeMs} ms`)
      await rig.pass(6 * SECOND)
      assert.equal(await rig.found(), failure)
      rig.answers(NEW)
      await rig.pass(5 * SECOND)
      assert.deepEqual(rig.ready, NEW)
    })
  }

  test('is used longer if this machine has no descriptor left, although the resolver says that there is no such name', async (context) => {
    using rig = await Rig.with(OLD)
    rig.answers('ENOTFOUND')
    withoutDescriptors(context)
    for (let minute = 0; minute < 10; minute += 1) {
      assert.deepEqual(rig.ready, OLD)
      await rig.pass(MINUTE)
    }
    assert.equal(rig.reported.at(-1)?.error, 'resolver_failed')
  })

  test('is used after two seconds if the resolver does not answer, and then without waiting, for an hour', async (context) => {
    const tick = mockTimers(context)
    using rig = await Rig.with(OLD)
    rig.time = 10 * MINUTE // no one used the name
    rig.answers(SILENCE)
    const waiting = rig.found()
    tick(OVERDUE_MS - 1)
    await settle()
    assert.deepEqual(rig.ready, 'must wait')
    tick(1)
    assert.deepEqual(await waiting, OLD)
    for (; rig.time < LAST_GOOD_MS; rig.time += 10 * SECOND) {
      assert.deepEqual(rig.ready, OLD, `after ${rig.time} ms`)
      rig.cache.tick()
    }
    assert.deepEqual(rig.ready, 'must wait')
    assert.equal(rig.resolver.asked.length, 2, 'one lookup blocks one thread, and no more')
    assert.deepEqual(
      rig.reported.map(({ error, answerAgeMs }) => [error, answerAgeMs]),
      [
        [undefined, undefined],
        ['resolver_timeout', 10 * MINUTE],
      ],
    )
  })

  test('is replaced by an answer that arrives late', async (context) => {
    const tick = mockTimers(context)
    const { promise, resolve } = Promise.withResolvers<readonly string[]>()
    using rig = await Rig.with(OLD)
    rig.answers(promise)
    rig.time = 5 * SECOND
    rig.cache.tick()
    tick(OVERDUE_MS)
    await settle()
    assert.deepEqual(rig.ready, OLD)
    assert.equal(rig.reported.at(-1)?.error, 'resolver_timeout')
    resolve(NEW)
    await settle()
    assert.deepEqual(rig.ready, NEW)
  })

  test('does not count as failed after a pause of this process, during which the resolver answered', async (context) => {
    const tick = mockTimers(context)
    const { promise, resolve } = Promise.withResolvers<readonly string[]>()
    using rig = await Rig.with(OLD)
    rig.answers(promise)
    rig.time = 5 * SECOND
    rig.cache.tick()
    tick(OVERDUE_MS) // timers run before the answer is read
    resolve(NEW)
    await settle()
    assert.deepEqual(rig.ready, NEW)
    assert.deepEqual(
      rig.reported.map(({ error }) => error),
      [undefined, undefined],
    )
  })

  test('is not used without a new lookup when an app returns after a failure', async () => {
    using rig = await Rig.with(OLD)
    rig.answers('EAI_AGAIN')
    await rig.pass(10 * SECOND)
    rig.time += 20 * MINUTE
    rig.answers(NEW)
    assert.deepEqual(await rig.found(), NEW)
  })

  test('is not used again after the name was missing for five minutes, even if the resolver then fails otherwise', async () => {
    using rig = await Rig.with(OLD)
    rig.answers('ENOTFOUND')
    await rig.pass(3 * MINUTE)
    rig.answers('EAI_AGAIN')
    rig.cache.find(rig.host)
    await rig.pass(3 * MINUTE)
    assert.equal(await rig.found(), 'EAI_AGAIN')
  })
})

describe('A name cache', () => {
  test('asks once for thousands of sessions, and keeps nothing of them', async () => {
    using rig = new Rig(OLD)
    const before = process.memoryUsage().heapUsed
    await Promise.all(Array.from({ length: 1000 }, () => rig.found()))
    for (let session = 0; session < 100_000; session += 1) rig.cache.find(rig.host)
    assert.deepEqual(rig.resolver.asked, [rig.host])
    const grown = process.memoryUsage().heapUsed - before
    assert.ok(grown < 64 * 1024 * 1024, `${grown} bytes`)
  })

  test('leaves no timer behind after close, not even of a lookup that never ends', async () => {
    using rig = await Rig.with(OLD)
    const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
    const before = timers()
    rig.answers(SILENCE)
    await rig.pass(5 * SECOND)
    assert.equal(timers(), before + 1)
    rig.cache.close()
    assert.equal(timers(), before)
  })
})
