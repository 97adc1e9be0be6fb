/** Lines of the live tail for people: aligned columns, and colours if the terminal shows them. */
import type { TransactionOutcome } from '../../proxy/events/closed-sets.ts'
import type { TailLine } from './line.ts'

/** The columns, with the width of their usual values. Numbers are aligned to the right. */
const COLUMNS: readonly { readonly name: string; readonly width: number; readonly isNumber?: true }[] = [
  { name: 'TIME', width: 12 },
  { name: 'APP', width: 10 },
  { name: 'COMMAND', width: 14 },
  { name: 'REPLY', width: 9 },
  { name: 'CAUSE', width: 20 },
  { name: 'OUTCOME', width: 8 },
  { name: 'SIZE', width: 7, isNumber: true },
  { name: 'AHASEND', width: 7, isNumber: true },
  { name: 'TOTAL', width: 7, isNumber: true },
]
const LAST_COLUMN = 'TRACE OR SESSION'

type Colour = 'green' | 'yellow' | 'red' | 'grey'

const CODES: Readonly<Record<Colour, number>> = { green: 32, yellow: 33, red: 31, grey: 90 }

const OUTCOMES: Readonly<Record<TransactionOutcome, Colour>> = {
  accepted: 'green',
  tempfail: 'yellow',
  permfail: 'red',
  aborted: 'grey',
  in_doubt: 'red',
}

/** Whether to use colours: only on a terminal that has them, and not with NO_COLOR (https://no-color.org). */
export function showsColours(
  isTerminal: boolean,
  { NO_COLOR = '', TERM }: Readonly<Record<string, string | undefined>>,
) {
  return isTerminal && NO_COLOR === '' && TERM !== 'dumb'
}

/** Writes lines for a terminal. `coloured`: with escape sequences. A column grows with the longest value so far. */
export class LineText {
  readonly #coloured: boolean
  readonly #widths = COLUMNS.map(({ width }) => width)

  constructor(coloured: boolean) {
    this.#coloured = coloured
  }

  /** The names of the columns. */
  heading(): string {
    return this.#paint(
      this.#row(
        COLUMNS.map(({ name }) => name),
        LAST_COLUMN,
      ),
      'grey',
    )
  }

  /** One line. */
  of(line: TailLine): string {
    const { app, subject, code, enhancedCode, cause, outcome, size, sender } = line
    const cells = [
      localTime(line.time),
      app,
      subject,
      code === undefined ? '-' : [code, enhancedCode].filter((part) => part !== undefined).join(' '),
      cause === 'none' ? '-' : cause,
      outcome ?? '-',
      size === undefined ? '-' : sizeText(size),
      durationText(line.ahasendMs),
      durationText(line.totalMs),
    ]
    const last = [line.traceId ?? line.sessionId, ...(sender ? [`from ${printable(sender)}`] : [])].join(' ')
    return this.#paint(this.#row(cells, last), colourOf(line))
  }

  /** A note about lines that are missing here. */
  lost(count: number): string {
    return this.#paint(
      `… ${count} ${count === 1 ? 'line' : 'lines'} lost: they came faster than they were read`,
      'yellow',
    )
  }

  #row(cells: readonly string[], last: string): string {
    const aligned = cells.map((cell, index) => {
      const width = Math.max(this.#widths[index] ?? 0, cell.length)
      this.#widths[index] = width
      return COLUMNS[index]?.isNumber ? cell.padStart(width) : cell.padEnd(width)
    })
    return [...aligned, last].join('  ')
  }

  #paint(text: string, colour: Colour | undefined): string {
    return this.#coloured && colour ? `\x1b[${CODES[colour]}m${text}\x1b[0m` : text
  }
}

/** Messages in the colour of their outcome; of commands only the refused ones. */
function colourOf({ subject, outcome, code }: TailLine): Colour | undefined {
  if (outcome) return OUTCOMES[outcome]
  if (subject === 'session') return 'red'
  if (code === undefined || (code >= 200 && code < 400)) return undefined
  return code >= 400 && code < 500 ? 'yellow' : 'red'
}

/** `18:09:32.123`, in the time zone of the reader. */
function localTime(time: string): string {
  const at = new Date(time)
  const [hours, minutes, seconds] = [at.getHours(), at.getMinutes(), at.getSeconds()].map((part) => pad(part, 2))
  return `${hours}:${minutes}:${seconds}.${pad(at.getMilliseconds(), 3)}`
}

function pad(part: number, digits: number): string {
  return String(part).padStart(digits, '0')
}

/** `12 B`, `3.4 kB`, `12 MB`: powers of 1000. */
function sizeText(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`
  return bytes < 999_950 ? `${threeDigits(bytes / 1000)} kB` : `${threeDigits(bytes / 1e6)} MB`
}

/** `0.4 ms`, `45 ms`, `2.1 s`, `61 s`. */
function durationText(milliseconds: number): string {
  return milliseconds < 1000 ? `${threeDigits(milliseconds)} ms` : `${threeDigits(milliseconds / 1000)} s`
}

function threeDigits(value: number): string {
  return value < 9.95 ? String(Math.round(value * 10) / 10) : String(Math.round(value))
}

/** An address may hold letters of any script. Only ASCII cannot change the direction of a terminal's text. */
function printable(text: string): string {
  return text.replace(/[^\x21-\x7e]/g, '?')
}
