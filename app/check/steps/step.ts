/** The steps of the `check` command, as data. */

/** `note`: worth knowing, but neither right nor wrong. */
export type Status = 'ok' | 'note' | 'failed'

/** What a step found. */
export interface Outcome {
  readonly status: Status
  /** The result in one line. After a failure: the likely cause. */
  readonly text: string
  /** Further lines. */
  readonly details?: readonly string[]
  /** After a failure: what to do. */
  readonly next?: string
  /** After a failure: the URL of the runbook or of the page of the documentation. */
  readonly see?: string
  /** True if a setting is wrong: the exit code is 2 instead of 1. */
  readonly misconfigured?: true
}

/** One step. `run` ends within a limit of its own; the signal aborts when the user interrupts the command. */
export interface Step {
  readonly group: string
  readonly title: string
  readonly run: (signal: AbortSignal) => Promise<Outcome> | Outcome
}

/** A step that ended. */
export interface Finished extends Outcome {
  readonly group: string
  readonly title: string
  readonly ms: number
}

export function ok(text: string, details: readonly string[] = []): Outcome {
  return { status: 'ok', text, details }
}

export function note(text: string, details: readonly string[] = []): Outcome {
  return { status: 'note', text, details }
}

/** A failed step: its likely cause, and what helps. */
export function failed(text: string, help: Pick<Outcome, 'details' | 'next' | 'see' | 'misconfigured'> = {}): Outcome {
  return { status: 'failed', text, ...help }
}
