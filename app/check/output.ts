/** The output of the `check` command: lines for people, or one JSON document. Pure. */
import { exitCodeOf } from './run.ts'
import type { Finished, Status } from './steps/step.ts'

const SYMBOLS: Readonly<Record<Status, string>> = { ok: '✓', note: '•', failed: '✗' }

/** What the terminal can show. By default it is a file: no colours and no line breaks in sentences. */
export interface Terminal {
  readonly colours?: boolean
  /** Columns. Longer lines continue on the next line, below the text. */
  readonly width?: number | undefined
}

/** The lines of a step. `previous` is the step before it: a new group begins with its name. */
export function linesOf(step: Finished, previous: Finished | undefined, terminal: Terminal = {}): readonly string[] {
  const heading = step.group === previous?.group ? [] : [step.group]
  const failure = step.status === 'failed' ? 'FAILED: ' : ''
  const first = wrapped(`  ${SYMBOLS[step.status]} ${step.title}: ${failure}${step.text} (${step.ms} ms)`, terminal)
  const others = [
    ...(step.details ?? []),
    ...(step.next === undefined ? [] : [`Next: ${step.next}`]),
    ...(step.see === undefined ? [] : [`See: ${step.see}`]),
  ].flatMap((line) => wrapped(`${INDENT}${line}`, terminal))
  return [...heading, ...first.map((line) => painted(line, step.status, terminal)), ...others]
}

const INDENT = ' '.repeat(6)
/** Narrower terminals get unbroken lines. */
const MIN_WIDTH = 40

function wrapped(line: string, { width = 0 }: Terminal): string[] {
  if (width < MIN_WIDTH) return [line]
  const lines: string[] = []
  for (const word of line.trimStart().split(' ')) {
    const last = lines.at(-1)
    if (last === undefined) lines.push(`${/^ */.exec(line)?.[0]}${word}`)
    else if (last.length + 1 + word.length <= width) lines[lines.length - 1] = `${last} ${word}`
    else lines.push(`${INDENT}${word}`)
  }
  return lines
}

const COLOURS: Readonly<Record<Status, number | undefined>> = { ok: undefined, note: undefined, failed: 31 }

function painted(line: string, status: Status, { colours }: Terminal): string {
  const code = COLOURS[status]
  return colours && code !== undefined ? `\u001b[${code}m${line}\u001b[0m` : line
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
