/** Programs that tests run: they exit with the test, and a missing program skips the test, except in CI. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { fileOf, missing, PROGRAMS, unless } from '../support/programs/programs.ts'

const RUNNER = fileURLToPath(new URL('../support/programs/run-program.ts', import.meta.url))

/** Runs a Node script that first prints its process id. Resolves with the runner and this id. */
async function running(context: TestContext, script: string): Promise<{ runner: ChildProcess; pid: number }> {
  const program = `console.log(process.pid); ${script}`
  const runner = spawn(process.execPath, [RUNNER, process.execPath, '-e', program])
  context.after(() => runner.kill('SIGKILL'))
  const [first] = (await once(runner.stdout, 'data')) as [Buffer]
  return { runner, pid: Number(first.toString()) }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

test('a program exits when its standard input closes', async (context) => {
  const { runner, pid } = await running(context, 'setInterval(() => {}, 1000)')
  assert.ok(isAlive(pid))
  runner.stdin?.end()
  await once(runner, 'exit')
  assert.ok(!isAlive(pid))
})

test('the runner exits with the exit code of its program', async (context) => {
  const { runner } = await running(context, 'process.exitCode = 7')
  assert.deepEqual(await once(runner, 'exit'), [7, null])
})

test('a missing program is reported with the command that builds it', () => {
  for (const program of PROGRAMS) {
    const reason = missing(program)
    assert.equal(reason === undefined, existsSync(fileOf(program)))
    if (reason !== undefined) assert.match(reason, new RegExp(`^${program} is not built: npm run programs`))
  }
})

test('a test is skipped for the first reason, but never in CI', (context) => {
  const before = process.env.CI
  context.after(() => {
    if (before === undefined) delete process.env.CI
    else process.env.CI = before
  })
  delete process.env.CI
  assert.deepEqual(unless(undefined, 'no Go', 'no Docker'), { skip: 'no Go' })
  assert.deepEqual(unless(undefined), { skip: false })
  process.env.CI = 'true'
  assert.deepEqual(unless('no Go'), { skip: false })
})
