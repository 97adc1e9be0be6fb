/** The telemetry of the proxy in this process, configured by environment variables, and an OTLP receiver. */

import { createLogger } from '../../../otel/export/logger.ts'
import { Log } from '../../../otel/records/log.ts'
import { createRecords } from '../../../otel/records/recorder.ts'
import { type Sdk, start } from '../../../otel/sdk.ts'
import { combine, type Telemetry } from '../../../proxy/events/observer.ts'
import { seriesOf } from '../telemetry/scrape.ts'
import { dial } from '../telemetry/session-events.ts'
import { Arrivals } from '../waiting/arrivals.ts'
import { settingsOf } from './otel-settings.ts'
import { type OtlpReceiver, type ReceiverOptions, startReceiver } from './otlp-receiver.ts'

type Env = Readonly<Record<string, string>>

/** A line that telemetry logs about itself. */
export type Warning = Readonly<Record<string, string | number>> & { readonly msg: string }

/** How long a test waits for a warning, in milliseconds. */
const LIMIT_MS = 20_000

export interface OtlpRig {
  readonly sdk: Sdk
  readonly receiver: OtlpReceiver
  /** Records metrics, spans and log lines. */
  readonly telemetry: Telemetry
  /** What telemetry logged about itself; the list grows. */
  readonly warnings: readonly Warning[]
  /** The first such line, past or future, that `wanted` accepts. Rejects after 20 s. */
  warned(wanted?: (warning: Warning) => boolean): Promise<Warning>
  /** Records `count` spans immediately. */
  spans(count: number): void
  /** What has been lost so far, without zeros: `{ 'traces export_failed': 5 }`. */
  lost(): Promise<Record<string, number>>
  /** What has been delivered so far, without zeros: `{ traces: 5 }`. */
  delivered(): Promise<Record<string, number>>
  [Symbol.asyncDispose](): Promise<void>
}

/** Export immediately and sample everything, unless `env` sets other values. */
const EAGER = {
  OTEL_TRACES_SAMPLER: 'always_on',
  OTEL_BSP_SCHEDULE_DELAY: '10',
  OTEL_BLRP_SCHEDULE_DELAY: '10',
}

function named(value: string, { url }: OtlpReceiver): string {
  return value.replace('$receiver', url).replace('$host', new URL(url).host)
}

/**
 * Starts both. The generic endpoint is the receiver's unless `env` names another. In `env`, `$receiver` stands for the
 * receiver's URL and `$host` for its host.
 */
export async function startRig(env: Env = {}, options: ReceiverOptions = {}): Promise<OtlpRig> {
  const receiver = await startReceiver(options)
  const given = Object.entries({ OTEL_EXPORTER_OTLP_ENDPOINT: '$receiver', ...EAGER, ...env })
  const settings = settingsOf(Object.fromEntries(given.map(([name, value]) => [name, named(value, receiver)])))
  const warnings = new Arrivals<Warning>()
  const warn = (fields: Readonly<Record<string, string | number>>, msg: string) => warnings.add({ ...fields, msg })
  const sdk = start({ servers: ['send.example'], listeners: [], clients: [], settings, slowMs: 10_000, warn })
  const counted = async (name: string) =>
    seriesOf(await sdk.page(), `smtp_proxy_telemetry_${name}_total`).filter(([, value]) => value > 0)
  return {
    sdk,
    receiver,
    telemetry: telemetryOf(sdk),
    warnings: warnings.all,
    warned: (wanted = () => true) => warnings.first(wanted, LIMIT_MS),
    spans(count) {
      for (let made = 0; made < count; made += 1) sdk.traces?.dial(dial({ at: Date.now(), phases: {} }))
    },
    lost: async () => Object.fromEntries((await counted('lost')).map(([labels, value]) => [valuesOf(labels), value])),
    delivered: async () =>
      Object.fromEntries((await counted('exported')).map(([labels, value]) => [valuesOf(labels), value])),
    async [Symbol.asyncDispose]() {
      await receiver[Symbol.asyncDispose]()
      await sdk.shutdown()
    },
  }
}

function telemetryOf({ telemetry, losses, traces, emit }: Sdk): Telemetry {
  const destination = { write() {} }
  const { logger } = createLogger({ level: 'info', losses, destination, ...(emit && { emit }) })
  return combine(telemetry, createRecords({ log: new Log(logger, losses), traces, recordAddresses: 'none' }))
}

/** `{a="x",b="y"}` -> `x y` */
function valuesOf(labels: string): string {
  return [...labels.matchAll(/"([^"]*)"/g)].map(([, value]) => value).join(' ')
}
