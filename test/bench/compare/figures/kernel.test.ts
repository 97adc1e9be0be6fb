/** Figures of process trees from /proc. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import { cpuMs, parseStat, pidsOf, residentMib, treeOf } from '../../../../bench/compare/figures/kernel.ts'
import { until } from '../../../support/waiting/until.ts'
import { onLinux } from '../linux.ts'

test('parses /proc/PID/stat, whatever the name of the program contains', () => {
  const rest = `S 7 ${Array.from({ length: 9 }, () => 0).join(' ')} 10 20 3 4 20 0`
  assert.deepEqual(parseStat(`42 (odd) (name) 1) ${rest}`), { pid: 42, parent: 7, ticks: 37 })
})

test('a tree is a process with its descendants', () => {
  const stats = [
    [1, 0],
    [2, 1],
    [3, 2],
    [4, 1],
    [5, 4],
  ].map(([pid, parent]) => ({ pid: pid!, parent: parent!, ticks: 0 }))
  assert.deepEqual(
    treeOf(2, stats).map(({ pid }) => pid),
    [2, 3],
  )
  assert.deepEqual(treeOf(9, stats), [])
})

test(
  'counts the CPU time and the memory of children, and the CPU time of children that have exited',
  onLinux,
  async (context) => {
    const busy = 'i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done'
    const child = spawn('sh', ['-c', `(${busy}); echo done; sleep 60 & wait`], { stdio: ['ignore', 'pipe', 'inherit'] })
    context.after(() => {
      for (const pid of pidsOf(child.pid!)) process.kill(pid, 'SIGKILL')
    })
    await once(child.stdout, 'data')
    await until('the shell has a child', () => pidsOf(child.pid!).length === 2)
    assert.ok(cpuMs(child.pid!) >= 50, `${cpuMs(child.pid!)} ms`)
    assert.ok(residentMib(child.pid!) > 1)
  },
)
