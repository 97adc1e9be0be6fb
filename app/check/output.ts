/** The output of the `check` command: lines for people, or one JSON document. Pure. */
import { exitCodeOf } from './run.ts'
import type { Finished, Status } from './step.ts'

const SYMBOLS: Readonly<Record<Status, string>> = { ok: '✓', note: '•', failed: '✗' }

/** The lines of a step. `previous` is the step before it: a new group begins with its name. */
export function linesOf(step: Finished, previous: Finished | undefined): readonly string[] {
  const heading = step.group === previous?.group ? [] : [step.group]
  const failure = step.status === 'failed' ? 'FAILED: ' : ''
  return [
    ...heading,
    `  ${SYMBOLS[step.status]} ${step.title}: ${failure}${step.text} (${step.ms} ms)`,
    ...(step.details ?? []).map((line) => `      ${line}`),
    ...(step.next === undefined ? [] : [`      Next: ${step.next}`]),
    ...(step.see === undefined ? [] : [`      See: ${step.see}`]),
  ]
}

/** The last line. */
export function summaryOf(steps: readonly Finished[], interrupted: boolean): string {
  const failures = steps.filter(({ status }) => status === 'failed').length
  const result = failures === 0 ? 'No problem found' : `${failures} of ${steps.length} steps failed`
  return interrupted ? `Interrupted. ${steps.length} steps ran; ${result.toLowerCase()}.` : `${result}.`
}

/** Everything that was found, as one JSON document on one line. */
export function jsonOf(steps: readonly Finished[], interrupted: boolean): string {
  const exitCode = exitCodeOf(steps, interrupted)
  const shown = steps.map(({ group, title, status, ms, text, details = [], next, see }) => ({
    group,
    title,
    status,
    durationMs: ms,
    text,
    details,
    next,
    see,
  }))
  return JSON.stringify({ ok: exitCode === 0, exitCode, interrupted, steps: shown })
}
