/** Responses that do not end: server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html). */
import type http from 'node:http'

/** A client that reads a stream. */
export interface StreamReader {
  /** Sends text in the format of server-sent events. */
  readonly send: (text: string) => void
  /** The bytes that were sent and that the system has not taken yet: above 0, the client reads more slowly than it gets. */
  readonly waiting: () => number
}

/**
 * Sends to the reader until the function that it returns is called. Returns a sentence instead if it refuses the query of
 * the request, and then sends nothing.
 */
export type Stream = (reader: StreamReader, query: URLSearchParams) => (() => void) | string

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

  /**
   * Writes a stream to a response, whose headers are set, until either side closes. Returns a sentence, and writes nothing,
   * if the stream refuses the query.
   */
  start(stream: Stream, query: URLSearchParams, response: http.ServerResponse): string | undefined {
    const send = (text: string) => {
      response.write(text)
      // what is not read must not collect in memory
      if (response.writableLength > this.#limits.streamBytes) response.destroy()
    }
    const stop = stream({ send, waiting: () => response.writableLength }, query)
    if (typeof stop === 'string') return stop
    this.#open += 1
    response.flushHeaders()
    response.once('close', () => {
      this.#open -= 1
      stop()
    })
    return undefined
  }
}
