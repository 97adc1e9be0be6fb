import { ROOT_CONTEXT, SeverityNumber, trace } from '@opentelemetry/api'
import type { Resource } from '@opentelemetry/resources'
import { LoggerProvider, type LogRecordProcessor } from '@opentelemetry/sdk-logs'
import { scope } from '../names/names.ts'
import type { LogEntry } from './logger.ts'

/** https://opentelemetry.io/docs/specs/otel/logs/data-model/#field-severitynumber */
const SEVERITIES: Readonly<Record<LogEntry['level'], SeverityNumber>> = {
  trace: SeverityNumber.TRACE,
  debug: SeverityNumber.DEBUG,
  info: SeverityNumber.INFO,
  warn: SeverityNumber.WARN,
  error: SeverityNumber.ERROR,
  fatal: SeverityNumber.FATAL,
}

/** Converts log lines to OpenTelemetry log records. */
export interface LogExport {
  /** Exports one line. */
  emit(entry: LogEntry): void
  /** Exports what is left. May reject. */
  shutdown(): Promise<void>
}

/** Creates the conversion. `processor` exports the records. */
export function createLogExport(resource: Resource, processor: LogRecordProcessor): LogExport {
  const provider = new LoggerProvider({ resource, processors: [processor] })
  const logger = provider.getLogger(scope.name, scope.version)
  return {
    emit({ level, message, attributes, trace: span }) {
      logger.emit({
        timestamp: Date.now(),
        severityNumber: SEVERITIES[level],
        severityText: level,
        body: message,
        attributes: { ...attributes },
        context: span ? trace.setSpanContext(ROOT_CONTEXT, span) : ROOT_CONTEXT,
      })
    },
    shutdown: () => provider.shutdown(),
  }
}
