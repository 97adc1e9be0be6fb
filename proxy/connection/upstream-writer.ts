import type { UpstreamConnection } from './upstream-connection.ts'

/** Writes shorter than this are counted: 64 of them are less than the 64 KiB that a socket takes before it asks to wait. */
const SMALL_BYTES = 1024
/** Small writes that may wait in the socket. Each costs about 350 bytes of memory, however few bytes it has. */
const MAX_SMALL_WRITES = 64

/** What `UpstreamWriter` needs of a connection. */
export type Sink = Pick<UpstreamConnection, 'writable' | 'writableNeedDrain' | 'unsent' | 'write'>

/** Writes client bytes to the upstream connection, and knows when it should take no more. */
export class UpstreamWriter {
  readonly #sink: Sink
  readonly #freed: () => void
  #smallWrites = 0
  /** Bytes written. */
  transmit = 0

  /** `freed` is called when small writes no longer fill the connection. The connection's `drained` reports the rest. */
  constructor(sink: Sink, freed: () => void) {
    this.#sink = sink
    this.#freed = freed
  }

  /** True while nothing more should be written: too many bytes or too many small writes wait in the socket. */
  get full(): boolean {
    return this.#sink.writableNeedDrain || this.#smallWrites >= MAX_SMALL_WRITES
  }

  /** `sent` is called in a later turn, when the socket no longer needs the bytes; never if it failed. */
  write(bytes: Buffer, sent?: () => void): void {
    if (bytes.length === 0 || !this.#sink.writable) return
    this.transmit += bytes.length
    if (sent) this.#sink.write(bytes, (error) => error || sent())
    else if (bytes.length >= SMALL_BYTES || this.#sink.unsent === 0) this.#sink.write(bytes)
    else {
      this.#smallWrites += 1
      this.#sink.write(bytes, this.#smallWritten)
    }
  }

  /** A socket that failed reports that itself: nothing more can be written to it. */
  readonly #smallWritten = (error?: Error | null): void => {
    if (this.#smallWrites-- === MAX_SMALL_WRITES && !error) this.#freed()
  }
}
