/** The closed sets of attribute values: those of the proxy's events, and those of telemetry itself. */
export * from '../../proxy/events/closed-sets.ts'

/**
 * The `smtp.client.name` of the probe. It sends no mail: figures about mail and alerts about apps do not count it, and its
 * failures have an alert of their own.
 */
export const PROBE_CLIENT = 'probe'

/** The steps of the probe, in order. The probe sends EHLO again after STARTTLS. */
export const probeSteps = [
  'connect',
  'tls',
  'greeting',
  'ehlo',
  'starttls',
  'auth',
  'mail',
  'rcpt',
  'rset',
  'quit',
] as const

/** A step of the probe. */
export type ProbeStep = (typeof probeSteps)[number]

/** Why a step of the probe fails without a reply that refuses it. */
export const probeErrors = [
  'resolve_failed',
  'connect_refused',
  'connect_timeout',
  'connect_reset',
  'timeout',
  'closed',
  'reply_too_long',
  'starttls_not_offered',
  'starttls_injection',
  'tls_untrusted',
  'tls_failed',
  'auth_not_offered',
] as const

/** Why a step of the probe fails without a reply that refuses it. */
export type ProbeError = (typeof probeErrors)[number]

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
