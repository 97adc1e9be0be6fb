/** The output of the `check` command: lines for people, or one JSON document. Pure. */
import { exitCodeOf } from './run.ts'
import type { Finished, Status } from './steps/step.ts'

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

/** The last line: it names what failed, because the steps may have scrolled away. */
export function summaryOf(steps: readonly Finished[], interrupted: boolean): string {
  const failed = steps.filter(({ status }) => status === 'failed').map(({ title }) => title)
  const result = failed.length === 0 ? 'No problem found' : `${failed.length} of ${steps.length} steps failed`
  if (interrupted) return `Interrupted. ${steps.length} steps ran; ${result.toLowerCase()}.`
  return failed.length === 0 ? `${result}.` : `${result}: ${failed.join('; ')}.`
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
