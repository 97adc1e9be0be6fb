import { getBooleanFromEnv } from '@opentelemetry/core'
import {
  defaultResource,
  detectResources,
  type Resource,
  resourceAttributesEnvDetector,
  resourceFromAttributes,
  serviceInstanceIdDetector,
  serviceNameEnvDetector,
} from '@opentelemetry/resources'
import { MeterProvider } from '@opentelemetry/sdk-metrics'
import packageJson from '../package.json' with { type: 'json' }
import { createMetrics, type Metrics, type MetricsOptions } from './metrics.ts'
import { createPrometheus } from './prometheus.ts'

/** Telemetry at work. */
export interface Sdk {
  /** Takes the events of the proxy. */
  readonly telemetry: Metrics
  /** The scrape page, in Prometheus' text format. Rejects after `shutdown`. */
  page(): Promise<string>
  /** Hands over what is left. Never rejects: telemetry does not decide how the proxy ends. */
  shutdown(): Promise<void>
}

/**
 * Starts what OTEL_* asks for: OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES describe the resource, OTEL_SDK_DISABLED
 * turns everything off. A hand-wired program honours only what it reads itself, so each variable is read here.
 */
export function start(options: MetricsOptions): Sdk {
  if (getBooleanFromEnv('OTEL_SDK_DISABLED')) return disabled
  const prometheus = createPrometheus()
  const provider = new MeterProvider({ resource: describe(), readers: [prometheus.reader] })
  return {
    telemetry: createMetrics(provider, options),
    page: prometheus.page,
    shutdown: () => settled(provider.shutdown({ timeoutMillis: SHUTDOWN_MS })),
  }
}

/** Well under the grace that containers are given to stop. */
const SHUTDOWN_MS = 3000

const disabled: Sdk = {
  telemetry: {
    open: () => () => {},
    dial() {},
    observerFailed() {},
    observeLiveBytes() {},
    setListenerCertificate() {},
  },
  page: async () => '# no metrics: OTEL_SDK_DISABLED is set\n',
  shutdown: async () => {},
}

/** Who measures. What the environment says wins. No process detector: it would tell command lines. */
function describe(): Resource {
  const own = resourceFromAttributes({ 'service.name': packageJson.name, 'service.version': packageJson.version })
  const detectors = [serviceInstanceIdDetector, resourceAttributesEnvDetector, serviceNameEnvDetector]
  return defaultResource().merge(own).merge(detectResources({ detectors }))
}

async function settled(...ends: readonly Promise<unknown>[]): Promise<void> {
  await Promise.allSettled(ends)
}
