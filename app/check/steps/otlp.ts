/** Checks the OTLP receivers: sends an empty export of each signal. */
import http from 'node:http'
import https from 'node:https'
import { connectOtlp } from '../../../otel/export/otlp.ts'
import type { OtelSettings, Otlp } from '../../../otel/settings/effective.ts'
import { shownUrl } from '../../../settings/mistakes.ts'
import type { TimeEvidence } from './clock.ts'
import { runbook } from './help.ts'
import { failed, note, type Outcome, ok, type Step } from './step.ts'

/** Longest time for one export, in milliseconds. The signal's own timeout applies, too. */
const LIMIT_MS = 10_000

/** One step for each signal that is exported. They add to `evidence` what time the receiver says it is. */
export function otlpSteps(settings: OtelSettings, evidence: TimeEvidence): readonly Step[] {
  const { traces, metrics, logs } = settings
  const all = Object.entries({ traces, metrics: metrics.otlp, logs })
  const steps = (settings.disabled ? [] : all).flatMap(([signal, otlp]) =>
    otlp ? [exportStep(signal, otlp, evidence)] : [],
  )
  if (steps.length > 0) return steps
  return [{ group: 'Telemetry', title: 'OTLP', run: () => note('no OTLP receiver is configured') }]
}

function exportStep(signal: string, otlp: Otlp, evidence: TimeEvidence): Step {
  return {
    group: 'Telemetry',
    title: `OTLP ${signal} to ${shownUrl(otlp.url)}`,
    run: () => exportNothing(otlp, evidence),
  }
}

async function exportNothing(otlp: Otlp, { skews }: TimeEvidence): Promise<Outcome> {
  const connection = connectOtlp(otlp, { exportTimeoutMs: LIMIT_MS, concurrency: 1 })
  try {
    const { statusCode = 0, headers } = await post(connection.config)
    const date = Date.parse(headers.date ?? '')
    if (!Number.isNaN(date)) skews.set(new URL(otlp.url).host, Date.now() - date)
    return statusCode >= 200 && statusCode < 300 ? ok(`accepts an empty export (${statusCode})`) : refused(statusCode)
  } catch (error) {
    return unreachable(error as NodeJS.ErrnoException)
  } finally {
    connection.close()
  }
}

type Connection = ReturnType<typeof connectOtlp>['config']

/** An export of nothing is an empty body: a protobuf message without fields. */
function post({ url, headers, httpAgentOptions, timeoutMillis, userAgent }: Connection): Promise<http.IncomingMessage> {
  const { request } = url.startsWith('https:') ? https : http
  return new Promise((settle, fail) => {
    const options = {
      method: 'POST',
      agent: httpAgentOptions(),
      signal: AbortSignal.timeout(timeoutMillis),
      headers: { ...headers, 'content-type': 'application/x-protobuf', 'user-agent': userAgent },
    }
    request(withoutCredentials(url), options, (response) => settle(response.resume()))
      .on('error', fail)
      .end()
  })
}

/** The exporters send no credentials of the URL either. */
function withoutCredentials(url: string): URL {
  return Object.assign(new URL(url), { username: '', password: '' })
}

const SEE = runbook('SmtpProxyTelemetryLost')

const BY_STATUS: ReadonlyMap<number, string> = new Map([
  [401, 'Correct the credentials in OTEL_EXPORTER_OTLP_HEADERS.'],
  [403, 'Correct the credentials in OTEL_EXPORTER_OTLP_HEADERS.'],
  [404, 'Correct the path: the proxy appends /v1/traces and so on to OTEL_EXPORTER_OTLP_ENDPOINT only.'],
  [405, 'Correct the path: the proxy appends /v1/traces and so on to OTEL_EXPORTER_OTLP_ENDPOINT only.'],
  [415, 'Use a receiver of OTLP over HTTP with protobuf, usually port 4318.'],
])

function refused(status: number): Outcome {
  const next = BY_STATUS.get(status) ?? 'Read the log of the receiver. Mail is not affected.'
  return failed(`the receiver answers ${status}`, { next, see: SEE })
}

const BY_CODE: ReadonlyMap<string, readonly [cause: string, next: string]> = new Map([
  ['ECONNREFUSED', ['nothing listens there', 'Start the receiver, or correct OTEL_EXPORTER_OTLP_ENDPOINT.']],
  [
    'ENOTFOUND',
    [
      'the host name does not resolve',
      'Correct OTEL_EXPORTER_OTLP_ENDPOINT. A name of a Compose service resolves only in its network.',
    ],
  ],
  ['EAI_AGAIN', ['the resolver does not answer', 'Correct OTEL_EXPORTER_OTLP_ENDPOINT, or check the name server.']],
  [
    'HPE_INVALID_CONSTANT',
    ['it does not speak HTTP', 'Port 4317 is usually for gRPC. OTLP over HTTP usually uses port 4318.'],
  ],
])

function unreachable({ code, name }: NodeJS.ErrnoException): Outcome {
  const isLate = code === 'ETIMEDOUT' || code === 'ABORT_ERR' || name === 'TimeoutError'
  const late = ['it does not answer in time', 'Check the firewall and the receiver.'] as const
  const unknown = [
    'the export failed',
    'Check the receiver, its certificate and OTEL_EXPORTER_OTLP_CERTIFICATE.',
  ] as const
  const [cause, next] = isLate ? late : (BY_CODE.get(String(code)) ?? unknown)
  return failed(`${cause} (${code ?? 'unknown'}). Mail is not affected`, { next, see: SEE })
}
