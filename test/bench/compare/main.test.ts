/** The comparison as a program, for a few seconds: it must neither fail nor leave anything behind. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { describe, test } from 'node:test'
import type { Results } from '../../../bench/compare/results.ts'
import { type TemporaryDirectory, temporaryDirectory } from '../../support/files/temporary-files.ts'
import { onLinux } from './linux.ts'

/** Starts the comparison. Its temporary files are in the directory. */
function start(directory: TemporaryDirectory, args: readonly string[]) {
  const env = { ...process.env, TMPDIR: directory.path }
  const out = ['--out', join(directory.path, 'out')]
  const child = spawn(process.execPath, ['bench/compare/main.ts', ...args, ...out], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  return { child, stdout: text(child.stdout), stderr: text(child.stderr) }
}

/** The ids of processes that name the directory in their arguments. */
function processesOf(directory: TemporaryDirectory): string[] {
  return readdirSync('/proc').filter((name) => {
    try {
      return /^\d+$/.test(name) && readFileSync(`/proc/${name}/cmdline`, 'utf8').includes(directory.path)
    } catch {
      return false
    }
  })
}

function resultsIn(directory: TemporaryDirectory): Results {
  return JSON.parse(readFileSync(join(directory.path, 'out/bench.json'), 'utf8'))
}

describe('npm run bench', onLinux, () => {
  test('compares the direct connection, the pipe or the prototype, and ours, with each kind of upstream', async () => {
    using directory = temporaryDirectory()
    const args = ['--short', '--only', 'W1,W5', '--against', 'pipe,prototype', '--seconds', '0.1']
    const { child, stdout, stderr } = start(directory, args)
    const [code] = await once(child, 'exit')
    assert.equal(code, 0, `${await stdout}${await stderr}`)
    const { series, partial } = resultsIn(directory)
    assert.equal(partial, false)
    const ours = series.filter(({ contender }) => contender === 'ours')
    assert.equal(ours.length, 4) // two workloads, two kinds of upstream
    for (const { samples } of series) assert.ok(samples[0]!.messagesPerSecond > 0)
    for (const { samples } of ours) assert.ok(samples[0]!.residentMib! > 10)
    assert.match(await stdout, /### W5, 30% load, TLS upstream/)
    assert.deepEqual(readdirSync(directory.path), ['out'])
  })

  test('prints what was measured after Ctrl-C, stops its processes and removes its files', async () => {
    using directory = temporaryDirectory()
    const { child, stdout, stderr } = start(directory, [
      '--only',
      'W1,W2',
      '--against',
      'prototype',
      '--seconds',
      '5',
      '--upstream',
      'tls',
    ])
    child.stderr.on('data', (line) => {
      if (String(line).includes('TLS upstream')) child.kill('SIGINT')
    })
    const [code] = await once(child, 'exit')
    assert.equal(code, 130, await stderr)
    assert.match(await stdout, /^\*\*Interrupted/)
    assert.equal(resultsIn(directory).partial, true)
    assert.deepEqual(processesOf(directory), [])
    assert.deepEqual(readdirSync(directory.path), ['out'])
  })

  test('a mistake in an option is one sentence, with exit code 2', async () => {
    using directory = temporaryDirectory()
    const { child, stderr } = start(directory, ['--only', 'W8'])
    const [code] = await once(child, 'exit')
    assert.equal(code, 2)
    assert.match(await stderr, /^--only: 'w8' is unknown; known are W1/)
  })
})
