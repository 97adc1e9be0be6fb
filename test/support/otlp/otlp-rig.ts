/** Telemetry as the environment asks for it, before a receiver of OTLP. */

import { createLogger } from '../../../otel/export/logger.ts'
import { Log } from '../../../otel/records/log.ts'
import { createRecords } from '../../../otel/records/recorder.ts'
import { type Sdk, start } from '../../../otel/sdk.ts'
import { combine, type Telemetry } from '../../../proxy/events/observer.ts'
import { seriesOf } from '../telemetry/scrape.ts'
import { dial } from '../telemetry/session-events.ts'
import { settingsOf } from './otel-settings.ts'
import { type OtlpReceiver, type ReceiverOptions, startReceiver } from './otlp-receiver.ts'

type Env = Readonly<Record<string, string>>

/** A line that telemetry wrote about itself. */
export type Warning = Readonly<Record<string, string | number>> & { readonly msg: string }

export interface OtlpRig {
  readonly sdk: Sdk
  readonly receiver: OtlpReceiver
  /** Metrics, spans and log lines of what is told to it. */
  readonly telemetry: Telemetry
  /** What was written about telemetry itself; it grows. */
  readonly warnings: readonly Warning[]
  /** The first such line, past or future, that `wanted` accepts. */
  warned(wanted?: (warning: Warning) => boolean): Promise<Warning>
  /** Makes so many spans, at once. */
  spans(count: number): void
  /** What was lost so far, without zeros: `{ 'traces export_failed': 5 }`. */
  lost(): Promise<Record<string, number>>
  /** What was delivered so far: `{ traces: 5 }`, without zeros. */
  delivered(): Promise<Record<string, number>>
  [Symbol.asyncDispose](): Promise<void>
}

/** Everything goes to the receiver at once, nothing is sampled away; `env` may say otherwise. */
const EAGER = {
  OTEL_TRACES_SAMPLER: 'always_on',
  OTEL_BSP_SCHEDULE_DELAY: '10',
  OTEL_BLRP_SCHEDULE_DELAY: '10',
}

function named(value: string, { url }: OtlpReceiver): string {
  return value.replace('$receiver', url).replace('$host', new URL(url).host)
}

/** Starts both. The generic endpoint is the receiver's unless `env` names another; `$receiver` in `env` is its URL, `$host` its host. */
export async function startRig(env: Env = {}, options: ReceiverOptions = {}): Promise<OtlpRig> {
  const receiver = await startReceiver(options)
  const given = Object.entries({ OTEL_EXPORTER_OTLP_ENDPOINT: '$receiver', ...EAGER, ...env })
  const settings = settingsOf(Object.fromEntries(given.map(([name, value]) => [name, named(value, receiver)])))
  const warnings = new Warnings()
  const warn = (fields: Readonly<Record<string, string | number>>, msg: string) => warnings.add({ ...fields, msg })
  const sdk = start({ servers: ['send.example'], listeners: [], clients: [], settings, slowMs: 10_000, warn })
  const counted = async (name: string) =>
    seriesOf(await sdk.page(), `smtp_proxy_telemetry_${name}_total`).filter(([, value]) => value > 0)
  return {
    sdk,
    receiver,
    telemetry: telemetryOf(sdk),
    warnings: warnings.all,
    warned: (wanted = () => true) => warnings.first(wanted),
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

class Warnings {
  readonly all: Warning[] = []
  #waiting: (() => void)[] = []

  add(warning: Warning): void {
    this.all.push(warning)
    for (const look of this.#waiting.splice(0)) look()
  }

  first(wanted: (warning: Warning) => boolean): Promise<Warning> {
    return new Promise((resolve) => {
      const look = () => {
        const found = this.all.find(wanted)
        if (found) resolve(found)
        else this.#waiting.push(look)
      }
      look()
    })
  }
}
