/** The most expensive parts of a CPU profile. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { countTicks, type ProfileNode } from '../../bench/profile.ts'

function node(
  id: number,
  url: string,
  functionName: string,
  hitCount: number,
  children: readonly number[] = [],
): ProfileNode {
  const positionTicks = [{ line: 9, ticks: hitCount }]
  return { id, callFrame: { functionName, url, lineNumber: 4 }, hitCount, children, positionTicks }
}

test("counts lines themselves, and Node's functions where the project calls them, without waiting", () => {
  const ours = `file://${process.cwd()}/proxy/relay.ts`
  const { lines, functions, total } = countTicks([
    node(1, '', '(root)', 0, [2, 5, 6]),
    node(2, ours, 'copy', 3, [3]),
    node(3, 'node:net', 'write', 2, [4]),
    node(4, '', 'writeBuffer', 5),
    node(5, '', '(idle)', 100),
    node(6, 'node:timers', 'tick', 1),
  ])
  assert.equal(total, 11)
  assert.deepEqual(Object.fromEntries(functions), { 'proxy/relay.ts:5 copy': 10, 'node:timers:5 tick': 1 })
  assert.deepEqual(Object.fromEntries(lines), {
    'proxy/relay.ts:9 copy': 3,
    'node:net:9 write': 2,
    'writeBuffer (native)': 5,
    'node:timers:9 tick': 1,
  })
})
