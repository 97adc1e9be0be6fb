/** How `check` runs its steps, and what it prints. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { jsonOf, linesOf, summaryOf } from '../../../app/check/output.ts'
import { exitCodeOf, runSteps } from '../../../app/check/run.ts'
import { type Finished, failed, note, ok, type Step } from '../../../app/check/steps/step.ts'

const NEVER = new AbortController().signal
const step = (title: string, run: Step['run']): Step => ({ group: 'Group', title, run })

test('steps run in order and are reported when they end; one that throws fails', async () => {
  const reported: string[] = []
  const steps = [
    step('one', () => ok('fine')),
    step('two', () => {
      throw new Error('boom')
    }),
    step('three', async () => note('noted')),
  ]
  const finished = await runSteps(steps, ({ title, status }) => reported.push(`${title} ${status}`), NEVER)
  assert.deepEqual(reported, ['one ok', 'two failed', 'three note'])
  assert.equal(finished[1]?.text, 'the check itself failed: boom')
  assert.equal(exitCodeOf(finished, false), 1)
})

test('an interrupt ends the running step, and the others do not run', async () => {
  const interrupt = new AbortController()
  const steps = [
    step('one', () => ok('fine')),
    step('two', () => {
      setImmediate(() => interrupt.abort())
      return new Promise(() => {})
    }),
    step('three', () => assert.fail('it must not run')),
  ]
  const finished = await runSteps(steps, () => {}, interrupt.signal)
  assert.deepEqual(
    finished.map(({ title, text }) => [title, text]),
    [
      ['one', 'fine'],
      ['two', 'interrupted'],
    ],
  )
  assert.equal(exitCodeOf(finished.slice(0, 1), true), 1)
  assert.match(summaryOf(finished, true), /^Interrupted\. 2 steps ran; 1 of 2 steps failed\.$/)
})

test('a wrong setting makes exit code 2, and no failure 0', () => {
  const done = (outcome: ReturnType<typeof ok>): Finished => ({ group: 'G', title: 't', ms: 1, ...outcome })
  assert.equal(exitCodeOf([done(ok('')), done(note(''))], false), 0)
  assert.equal(exitCodeOf([done(failed('x')), done(failed('x', { misconfigured: true }))], false), 2)
})

test('the lines of a failure: cause, details, next step and runbook; a group has one heading', () => {
  const help = { details: ['detail'], next: 'Do this.', see: 'https://example.com' }
  const failure: Finished = { group: 'G', title: 'name', ms: 12, ...failed('cause', help) }
  const lines = [
    '  ✗ name: FAILED: cause (12 ms)',
    '      detail',
    '      Next: Do this.',
    '      See: https://example.com',
  ]
  assert.deepEqual(linesOf(failure, undefined), ['G', ...lines])
  assert.deepEqual(linesOf(failure, failure), lines)
  assert.deepEqual(JSON.parse(jsonOf([failure], false)), {
    ok: false,
    exitCode: 1,
    interrupted: false,
    steps: [{ group: 'G', title: 'name', status: 'failed', durationMs: 12, text: 'cause', ...help }],
  })
})

test('on a terminal, failures are red and long lines continue below their text', () => {
  const step = {
    group: 'G',
    title: 'a step',
    status: 'failed',
    ms: 1,
    text: 'the cause of it',
    next: 'Do something.',
  } as const
  const lines = linesOf(step, step, { colours: true, width: 40 })
  assert.deepEqual(lines, [
    '\u001b[31m  ✗ a step: FAILED: the cause of it (1\u001b[0m',
    '\u001b[31m      ms)\u001b[0m',
    '      Next: Do something.',
  ])
  assert.equal(linesOf({ ...step, status: 'ok' }, step, { colours: true })[0], '  ✓ a step: the cause of it (1 ms)')
})
