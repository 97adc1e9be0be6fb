/** Which signals count. The test emits the signals itself and controls the clock. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { onSignals } from '../../app/signals.ts'

/** Sends signals at the given milliseconds, and returns their actions. */
function signalled(context: TestContext, ...signals: readonly (readonly [NodeJS.Signals, number])[]): string[] {
  const done: string[] = []
  const clock = context.mock.method(performance, 'now', () => 0)
  const names = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const
  const before = new Map(names.map((name) => [name, process.listeners(name)]))
  onSignals({
    drain: (signal) => done.push(`drain ${signal}`),
    stop: (signal) => done.push(`stop ${signal}`),
    reload: () => done.push('reload'),
  })
  for (const [signal, at] of signals) {
    clock.mock.mockImplementation(() => at)
    process.emit(signal, signal)
  }
  for (const name of names) {
    process.removeAllListeners(name)
    for (const listener of before.get(name) ?? []) process.on(name, listener)
  }
  return done
}

test('the first signal drains, a later one stops', (context) => {
  assert.deepEqual(signalled(context, ['SIGTERM', 5000], ['SIGTERM', 7000]), ['drain SIGTERM', 'stop SIGTERM'])
})

test('the same signal within two seconds is one signal: npm forwards the signal that its process group received', (context) => {
  const group = [
    ['SIGINT', 5000],
    ['SIGINT', 5000],
    ['SIGINT', 6999],
  ] as const
  assert.deepEqual(signalled(context, ...group), ['drain SIGINT'])
})

test('another signal stops immediately', (context) => {
  assert.deepEqual(signalled(context, ['SIGTERM', 5000], ['SIGINT', 5000]), ['drain SIGTERM', 'stop SIGINT'])
})

test('each SIGHUP reloads, and none counts as a second signal', (context) => {
  const signals = [
    ['SIGHUP', 0],
    ['SIGHUP', 1],
    ['SIGTERM', 2],
    ['SIGHUP', 3],
  ] as const
  assert.deepEqual(signalled(context, ...signals), ['reload', 'reload', 'drain SIGTERM', 'reload'])
})
