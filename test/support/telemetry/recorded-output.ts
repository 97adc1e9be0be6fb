/** Records log lines and spans as text that can be searched. */
import { resourceFromAttributes } from '@opentelemetry/resources'
import { AlwaysOnSampler, type ReadableSpan, type SpanProcessor } from '@opentelemetry/sdk-trace'
import { createLogger } from '../../../otel/export/logger.ts'
import { uncounted } from '../../../otel/export/losses.ts'
import { Log } from '../../../otel/records/log.ts'
import { createRecords } from '../../../otel/records/recorder.ts'
import { startTraces } from '../../../otel/records/traces.ts'
import type { Telemetry } from '../../../proxy/events/observer.ts'
import type { SessionOpen } from '../../../proxy/events/session-event.ts'

/** Logs at level trace and all traces, as text. The limits on equal lines apply. */
export class RecordedOutput {
  readonly telemetry: Telemetry
  readonly #lines: string[] = []
  readonly #spans: string[] = []

  constructor() {
    const { logger } = createLogger({
      level: 'trace',
      losses: uncounted,
      destination: { write: (line) => void this.#lines.push(line) },
    })
    const traces = startTraces({
      resource: resourceFromAttributes({}),
      processors: [new Listener((span) => this.#spans.push(textOf(span)))],
      sampler: new AlwaysOnSampler(),
      joinTraces: true,
      slowMs: 10_000,
      losses: uncounted,
    })
    this.telemetry = createRecords({ log: new Log(logger, uncounted), traces, recordAddresses: 'none' })
  }

  get lines(): string {
    return this.#lines.join('')
  }

  get spans(): string {
    return this.#spans.join('\n')
  }
}

class Listener implements SpanProcessor {
  readonly #ended: (span: ReadableSpan) => void

  constructor(ended: (span: ReadableSpan) => void) {
    this.#ended = ended
  }

  onStart(): void {}

  onEnd(span: ReadableSpan): void {
    this.#ended(span)
  }

  async forceFlush(): Promise<void> {}

  async shutdown(): Promise<void> {}
}

function textOf(span: ReadableSpan): string {
  const { name, attributes, status, events, links } = span
  return JSON.stringify([name, attributes, status, events, links, span.spanContext()])
}

/** The first event of session `number`. */
export function openedBy(number: number, clientName: string, serverAddress: string): SessionOpen {
  return {
    type: 'session-open',
    at: 0,
    sessionId: `session ${number}`,
    clientName,
    clientAddress: '192.0.2.1',
    clientPort: 4711,
    listener: 'smtp://127.0.0.1:2525',
    serverAddress,
  }
}
