/** Types of the settings that OTEL_* variables make. */
import type { PemFile } from '../../settings/pem.ts'

/** How one signal is exported by OTLP. Headers, endpoint and files may hold secrets. */
export interface Otlp {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly timeoutMs: number
  readonly compression: 'gzip' | 'none'
  readonly authorities?: PemFile
  readonly clientKey?: PemFile
  readonly clientCertificate?: PemFile
}

/** How spans or log lines are gathered. */
export interface Batch {
  readonly delayMs: number
  readonly exportTimeoutMs: number
  readonly maxQueue: number
  readonly maxBatch: number
}

type RootSampler = 'always_on' | 'always_off' | 'traceidratio'
export type SamplerName = RootSampler | `parentbased_${RootSampler}`
export type Temporality = 'cumulative' | 'delta' | 'lowmemory'

/** The settings in OTEL_* variables. A signal that is absent is not exported by OTLP. */
export interface OtelSettings {
  readonly disabled: boolean
  /** The attributes that the environment gives to the resource; `service.name` is always there. */
  readonly resource: Readonly<Record<string, string>> & { readonly 'service.name': string }
  readonly propagators: readonly ('tracecontext' | 'baggage')[]
  readonly traces?: Otlp & Batch & { readonly sampler: SamplerName; readonly ratio: number }
  readonly metrics: {
    readonly prometheus: boolean
    readonly otlp?: Otlp & {
      readonly intervalMs: number
      readonly exportTimeoutMs: number
      readonly temporality: Temporality
    }
  }
  readonly logs?: Otlp & Batch
}
