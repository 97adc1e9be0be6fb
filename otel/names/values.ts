/**
 * The closed sets that attributes take their values from: those of the proxy's events, and those of telemetry itself.
 */
export {
  appTlsErrors,
  closeReasons,
  commands,
  dialErrors,
  dialPhases,
  opaqueReasons,
  recipientVerdicts,
  refusedCuts,
  refusedSessions,
  replyCauses,
  replyLosses,
  replyOrigins,
  transactionErrors,
  transactionOutcomes,
} from '../../proxy/events/closed-sets.ts'

/** The kinds of telemetry. */
export const telemetrySignals = ['traces', 'metrics', 'logs'] as const

export type TelemetrySignal = (typeof telemetrySignals)[number]

/**
 * How telemetry is lost. queue_full: more came than was taken away. export_failed: the receiver did not take it.
 * rate_limited: held back on purpose, because too much of one kind came. stdout_full: nobody read the log.
 */
export const telemetryLosses = ['queue_full', 'export_failed', 'rate_limited', 'stdout_full'] as const

export type TelemetryLoss = (typeof telemetryLosses)[number]
