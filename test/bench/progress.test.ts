/** The progress of measurements: a line at most every two seconds, and what was done after Ctrl-C. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'

test('prints progress to standard error and, after Ctrl-C, how many units were done', async (context) => {
  const script = `
    const { showProgress } = await import('./bench/progress.ts')
    const progress = showProgress('rounds', 9)
    for (const done of [0, 1, 2, 3]) progress(done)
    setInterval(() => {}, 1000)
    console.log('started')`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'pipe'] })
  context.after(() => child.kill('SIGKILL'))
  let errors = ''
  child.stderr.setEncoding('utf8').on('data', (text) => {
    errors += text
  })
  await once(child.stdout, 'data')
  child.kill('SIGINT')
  assert.deepEqual(await once(child, 'close'), [130, null])
  assert.match(errors, /^0 of 9 rounds, 0 s\ninterrupted after \d s: 3 of 9 rounds done\n$/)
})
