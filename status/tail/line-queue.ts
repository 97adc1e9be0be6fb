/** The lines that wait for one reader. A reader that is too slow loses lines, and is shown how many. */
import type { StreamReader } from '../../proxy/admin/admin.ts'

/** How long a line waits for others: few writes cost less, and no one sees the difference. */
const COLLECT_MS = 50
/** The characters that wait for a reader at most: about a thousand lines. */
export const MAX_WAITING = 300_000

export class LineQueue {
  readonly #reader: StreamReader
  #lines: string[] = []
  #length = 0
  #lost = 0
  #timer: NodeJS.Timeout | undefined

  constructor(reader: StreamReader) {
    this.#reader = reader
  }

  /** Takes a line, or counts it as lost. After a lost line, the next ones are lost until the reader has caught up. */
  add(line: string): void {
    if (this.#lost > 0 || this.#length + line.length > MAX_WAITING) this.#lost += 1
    else {
      this.#lines.push(line)
      this.#length += line.length
    }
    this.#timer ??= setTimeout(this.#due, COLLECT_MS).unref()
  }

  /** Sends what waits, followed by the number of lines that are missing there. */
  flush(): void {
    const lines = this.#lines.map((line) => `data: ${line}\n\n`)
    if (this.#lost > 0) lines.push(`event: lost\ndata: ${this.#lost}\n\n`)
    this.#lines = []
    this.#length = 0
    this.#lost = 0
    if (lines.length > 0) this.#reader.send(lines.join(''))
  }

  /** Sends what waits, and that nothing follows. */
  end(): void {
    this.flush()
    this.#reader.send('event: stopped\ndata: the proxy stops\n\n')
  }

  /** Forgets what waits. */
  close(): void {
    clearTimeout(this.#timer)
    this.#lines = []
  }

  readonly #due = (): void => {
    this.#timer = undefined
    // what the reader has not taken yet is not followed by more
    if (this.#reader.waiting() > 0) this.#timer = setTimeout(this.#due, COLLECT_MS).unref()
    else this.flush()
  }
}
