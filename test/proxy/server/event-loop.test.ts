import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { test } from 'node:test'
import { promisify } from 'node:util'
import type { LoopFigures } from '../../../proxy/events/loop-figures.ts'
import { reportLoop } from '../../../proxy/server/event-loop.ts'

/** Resolves with the next figures, and keeps this process alive until then. */
function nextFigures(meanwhile: () => void = () => {}): Promise<LoopFigures> {
  const alive = setInterval(() => {}, 1000)
  return new Promise((settle) => {
    const stop = reportLoop((figures) => {
      stop()
      clearInterval(alive)
      settle(figures)
    })
    setTimeout(meanwhile, 100)
  })
}

function block(milliseconds: number): void {
  const end = performance.now() + milliseconds
  while (performance.now() < end);
}

test('a stall of the loop is reported as delay and as active time', async () => {
  const before = await nextFigures()
  const after = await nextFigures(() => block(500))
  assert.ok(after.delay > 0.4, `${after.delay} s`)
  assert.ok(after.active - before.active > 0.4)
})

test('an idle loop is reported as idle, without the interval of the measurement', async () => {
  const before = await nextFigures()
  const { idle, delay, heap } = await nextFigures()
  assert.ok(idle > before.idle)
  assert.ok(delay >= 0)
  assert.ok(heap > 1_000_000)
})

test('reporting does not keep the process alive', async () => {
  const loop = new URL('../../../proxy/server/event-loop.ts', import.meta.url)
  const program = `import('${loop}').then(({ reportLoop }) => reportLoop(() => process.exit(1)))`
  await promisify(execFile)(process.execPath, ['--eval', program])
})
