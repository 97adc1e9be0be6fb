/** Programs of others in tests: they never outlive the test, and a missing one is a skipped test, in CI a failed one. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { fileOf, missing, PROGRAMS, unless } from '../support/programs/programs.ts'

const RUNNER = fileURLToPath(new URL('../support/programs/run-program.ts', import.meta.url))

/** Runs a program of Node's that first prints its process id. Resolves with the runner and that id. */
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

test('a program ends when nobody holds its standard input any more', async (context) => {
  const { runner, pid } = await running(context, 'setInterval(() => {}, 1000)')
  assert.ok(isAlive(pid))
  runner.stdin?.end()
  await once(runner, 'exit')
  assert.ok(!isAlive(pid))
})

test('a program that ends by itself ends its runner, with the same code', async (context) => {
  const { runner } = await running(context, 'process.exitCode = 7')
  assert.deepEqual(await once(runner, 'exit'), [7, null])
})

test('a program is there, or it is said what would help', () => {
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
