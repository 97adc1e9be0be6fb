/** The closed sets of attribute values: those of the proxy's events, and those of telemetry itself. */
export * from '../../proxy/events/closed-sets.ts'

/**
 * The `smtp.client.name` of the probe. It sends no mail: figures about mail and alerts about apps do not count it, and its
 * failures have an alert of their own.
 */
export const PROBE_CLIENT = 'probe'

/** What an event loop does with its time. */
export const eventLoopStates = ['active', 'idle'] as const

/** The kinds of telemetry. */
export const telemetrySignals = ['traces', 'metrics', 'logs'] as const

/** A kind of telemetry. */
export type TelemetrySignal = (typeof telemetrySignals)[number]

/** Why telemetry is lost: see the attribute `telemetry.loss`. */
export const telemetryLosses = ['queue_full', 'export_failed', 'rate_limited', 'stdout_full'] as const

/** Why telemetry is lost. */
export type TelemetryLoss = (typeof telemetryLosses)[number]
