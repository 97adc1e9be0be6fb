/** Runs the steps of the `check` command, one after the other. */
import { raced } from '../../proxy/upstream/attempt.ts'
import { type Finished, failed, type Outcome, type Step } from './steps/step.ts'

/**
 * Runs the steps in order and reports each one when it ends. When the signal aborts, the running step counts as failed and
 * the others do not run. Never rejects.
 */
export async function runSteps(
  steps: readonly Step[],
  report: (finished: Finished) => void,
  signal: AbortSignal,
): Promise<readonly Finished[]> {
  const all: Finished[] = []
  for (const step of steps) {
    if (signal.aborted) break
    const finished = await runStep(step, signal)
    all.push(finished)
    report(finished)
  }
  return all
}

async function runStep({ group, title, run }: Step, signal: AbortSignal): Promise<Finished> {
  const began = performance.now()
  const outcome = await outcomeOf(run, signal)
  return { group, title, ms: Math.round(performance.now() - began), ...outcome }
}

async function outcomeOf(run: Step['run'], signal: AbortSignal): Promise<Outcome> {
  try {
    return await raced((async () => run(signal))(), signal)
  } catch (error) {
    if (signal.aborted) return failed('interrupted')
    return failed(`the check itself failed: ${error instanceof Error ? error.message : String(error)}`)
  }
}

/** The exit code: 0 if no step failed, 2 if a setting is wrong, otherwise 1. */
export function exitCodeOf(steps: readonly Finished[], interrupted: boolean): 0 | 1 | 2 {
  if (steps.some(({ misconfigured }) => misconfigured)) return 2
  return interrupted || steps.some(({ status }) => status === 'failed') ? 1 : 0
}
