import assert from 'node:assert/strict'
import { test } from 'node:test'
import { residentMib } from '../../../../bench/compare/figures/kernel.ts'
import { COLLECTABLE, collectGarbage } from '../../../../bench/compare/processes/garbage.ts'
import { start } from '../../../../bench/compare/processes/process.ts'
import { onLinux } from '../linux.ts'

/** Keeps 20 MB, and makes garbage that survives as long as V8 has memory for it. */
const PROGRAM = `
  const kept = []
  for (let made = 0; made < 2_000_000; made += 1) {
    const item = { made, text: 'x'.repeat(16) + made }
    if (made % 10 === 0) kept.push(item)
  }
  console.log('ready', kept.length)
  setInterval(() => kept.length, 1000)
`

test('the garbage of a Node program does not count as its memory', onLinux, async () => {
  const program = start(process.execPath, [...COLLECTABLE, '--eval', PROGRAM])
  try {
    await new Promise((ready) => program.child.stdout?.once('data', ready))
    const before = residentMib(program.pid)
    await collectGarbage(program)
    const after = residentMib(program.pid)
    assert.ok(after < before, `${after} MiB after ${before} MiB`)
    // a second collection finds nothing more
    await collectGarbage(program)
    assert.ok(Math.abs(residentMib(program.pid) - after) < 5)
  } finally {
    await program.stop()
  }
})

test('a program that has exited collects no garbage', onLinux, async () => {
  const program = start(process.execPath, [...COLLECTABLE, '--eval', ''])
  await program.exited
  await assert.rejects(async () => collectGarbage(program), { code: 'ESRCH' })
})
