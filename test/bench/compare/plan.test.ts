/** Which measurements a run consists of. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type Options, parseOptions } from '../../../bench/compare/options.ts'
import { expectedSeconds, planOf } from '../../../bench/compare/plan.ts'
import { startProgress } from '../../../bench/compare/progress.ts'

function plan(...args: readonly string[]) {
  const options = parseOptions(args) as Options
  return { options, stages: planOf(options) }
}

describe('the plan', () => {
  test('starts contenders once per kind of upstream, and once per round-trip time', () => {
    const stages = plan().stages.map(({ security, roundTripMs }) => [security, roundTripMs])
    const paths = [undefined, 0, 40, 150]
    assert.deepEqual(stages, [...paths.map((ms) => ['plain', ms]), ...paths.map((ms) => ['tls', ms])])
  })

  test('leaves out contenders that cannot reach the upstream or cannot take the workload', () => {
    const [plain, tls] = plan('--only', 'W2p').stages
    const ids = plain!.contenders.map(({ id }) => id)
    assert.ok(ids.includes('pipe') && !ids.includes('stunnel'))
    assert.ok(!tls!.contenders.some(({ id }) => ['pipe', 'postfix', 'nginx-mail'].includes(id)))
    assert.ok(!plain!.jobs[0]!.contenders.some(({ id }) => id === 'haraka'))
  })

  test('compares with one floor for each kind of upstream in the short mode', () => {
    const floors = plan('--short').stages.map(({ contenders }) =>
      contenders.map(({ id }) => id).filter((id) => ['pipe', 'prototype'].includes(id)),
    )
    assert.deepEqual(floors, [['pipe'], ['pipe'], ['prototype'], ['prototype']])
  })

  test('has fewer variants in the short mode, which takes about two minutes', () => {
    const { options, stages } = plan('--short')
    const variants = stages.flatMap(({ jobs }) => jobs.map(({ workload, variant }) => `${workload.id} ${variant.name}`))
    assert.deepEqual(new Set(variants), new Set(['W1 ', 'W2 ', 'W2p ', 'W3 ', 'W4 ', 'W5 30% load', 'W6 40 ms']))
    const seconds = expectedSeconds(stages, options)
    assert.ok(seconds > 60 && seconds <= 150, `${seconds} s`)
  })
})

test('progress shows the share that is done and the time left, which follows the pace, every two seconds', () => {
  let now = 0
  const lines: string[] = []
  const progress = startProgress(
    100,
    (line) => lines.push(line),
    () => now,
  )
  progress.now('W1')
  now = 1000
  progress.now('too soon')
  progress.done(50)
  now = 110_000
  progress.now('W2')
  assert.deepEqual(lines, ['0%, 2 min left: W1', '50%, 2 min left: W2'])
})
