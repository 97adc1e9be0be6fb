/** Responses that do not end: server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html). */
import type http from 'node:http'

/** Calls `send` with text in the format of server-sent events until the function that it returns is called. */
export type Stream = (send: (text: string) => void) => () => void

export interface StreamLimits {
  /** Streams at a time. */
  readonly streams: number
  /** A reader for which more bytes than this wait is cut. */
  readonly streamBytes: number
}

export class EventStreams {
  readonly #limits: StreamLimits
  #open = 0

  constructor(limits: StreamLimits) {
    this.#limits = limits
  }

  /** True if there are as many streams as there may be. */
  get full(): boolean {
    return this.#open >= this.#limits.streams
  }

  /** Writes a stream to a response whose head was sent, until either side closes. */
  start(stream: Stream, response: http.ServerResponse): void {
    this.#open += 1
    const stop = stream((text) => {
      response.write(text)
      // what is not read must not collect in memory
      if (response.writableLength > this.#limits.streamBytes) response.destroy()
    })
    response.once('close', () => {
      this.#open -= 1
      stop()
    })
  }
}
