/**
 * Writes to a pipe are atomic up to this size (PIPE_BUF on Linux), even if several processes share the pipe. `logger.ts` gives
 * that up while lines wait for an earlier write.
 */
export const MAX_WRITE_BYTES = 4096
/** The maximum time that a line waits for more lines, in milliseconds. People do not notice it. */
const MAX_WAIT_MS = 20

/**
 * Collects log lines, because each write costs a system call and a switch of threads: more than all other work for a line. A
 * batch is whole lines of at most `MAX_WRITE_BYTES`; a longer line is a batch of its own. While no line waits, no timer runs.
 */
export class LineBatch {
  readonly #write: (lines: string) => void
  #lines = ''
  #bytes = 0
  #timer: NodeJS.Timeout | undefined

  /** `write` receives each batch. */
  constructor(write: (lines: string) => void) {
    this.#write = write
  }

  /** Adds a line. It is written within 20 ms. */
  add(line: string): void {
    const bytes = Buffer.byteLength(line)
    if (this.#bytes + bytes > MAX_WRITE_BYTES) this.flush()
    this.#lines += line
    this.#bytes += bytes
    if (this.#bytes >= MAX_WRITE_BYTES) this.flush()
    else this.#timer ??= setTimeout(this.#waited, MAX_WAIT_MS).unref()
  }

  /** Writes the lines that wait, if any. */
  flush(): void {
    if (this.#bytes === 0) return
    const lines = this.#lines
    this.#lines = ''
    this.#bytes = 0
    this.#write(lines)
  }

  /** A batch that is full before does not stop the timer, so that a busy log starts at most 50 timers per second. */
  readonly #waited = (): void => {
    this.#timer = undefined
    this.flush()
  }
}
