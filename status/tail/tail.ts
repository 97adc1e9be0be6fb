/** The live tail of the running proxy: `/tail` sends a line for each command and each message to everyone who reads it. */
import type { SpanContext } from '@opentelemetry/api'
import type { MessageRecord, SessionRecord } from '../../otel/records/records.ts'
import type { Stream } from '../../proxy/admin/admin.ts'
import type { Observer, Telemetry } from '../../proxy/events/observer.ts'
import type { SessionEvent, SessionOpen } from '../../proxy/events/session-event.ts'
import { type Filter, readFilters } from './filters.ts'
import { commandLine, messageLine, sessionLine, type TailLine } from './line.ts'
import { LineQueue } from './line-queue.ts'

/** Takes events and records. Without readers it only checks that there are none. */
export class Tail implements Telemetry {
  readonly #apps: readonly string[]
  readonly #readers = new Map<LineQueue, Filter>()

  /** `apps` are the values that the filter `app` may have. */
  constructor(apps: readonly string[]) {
    this.#apps = apps
  }

  open(open: SessionOpen): Observer {
    return (event) => {
      if (this.#readers.size > 0) this.#observe(open, event)
    }
  }

  /** No session waited for it. */
  dial(): void {}

  /** Nothing to show: a metric counts it, and an alert names it. */
  observerFailed(): void {}

  /** A message is over. */
  message(record: MessageRecord, span: SpanContext | undefined): void {
    if (this.#readers.size > 0) this.#show(messageLine(record, span))
  }

  /** A session is over. */
  session(record: SessionRecord, span: SpanContext | undefined): void {
    if (this.#readers.size > 0) this.#show(sessionLine(record, span))
  }

  /** `/tail`: lines as server-sent events. The query holds the filters. */
  readonly stream: Stream = (reader, query) => {
    const reading = readFilters(query, this.#apps)
    if ('mistakes' in reading) return reading.mistakes.join('\n')
    const queue = new LineQueue(reader)
    this.#readers.set(queue, reading.filter)
    return () => {
      this.#readers.delete(queue)
      queue.close()
    }
  }

  /** Sends what waits, and that the proxy stops. */
  stop(): void {
    for (const queue of this.#readers.keys()) queue.end()
  }

  #observe(open: SessionOpen, event: SessionEvent): void {
    this.#show(commandLine(open, event))
  }

  #show(line: TailLine | undefined): void {
    if (!line) return
    let text: string | undefined
    for (const [queue, passes] of this.#readers) {
      if (!passes(line)) continue
      text ??= JSON.stringify(line)
      queue.add(text)
    }
  }
}
