import type { Dial, Handover } from '../events/dial.ts'
import type { Telemetry } from '../events/observer.ts'
import { Cancellation, type CancelSignal } from '../net/cancellation.ts'
import type { Config } from '../settings/config.ts'
import { Dialer, type DialResult, now } from './dialer.ts'
import { dialInOrder, type Reached } from './failover.ts'
import type { LastSession } from './last-session.ts'
import { NameCache } from './name-cache.ts'
import { Preconnections } from './preconnect.ts'

interface UpstreamsOptions {
  readonly config: Pick<Config, 'upstreams' | 'upstreamCaFile' | 'dialTimeoutMs' | 'warmConnections'>
  /** Gets everything that happens without a session. */
  readonly telemetry: Pick<Telemetry, 'dial' | 'upstream'>
  /** Shared by several event loops. */
  readonly lastSession?: LastSession
}

/** The configured upstreams as one event loop reaches them: kept DNS answers, dials, and preconnected connections. */
export class Upstreams {
  readonly #options: UpstreamsOptions
  readonly #names: NameCache
  readonly #dialer: Dialer
  readonly #preconnections: Preconnections
  readonly #stopDialling = new Cancellation()

  /** Throws if the CA file cannot be read or parsed. */
  constructor(options: UpstreamsOptions) {
    const { config, telemetry, lastSession } = options
    this.#options = options
    this.#names = new NameCache((lookup) => telemetry.upstream?.(lookup))
    this.#dialer = new Dialer(config.upstreamCaFile, now, this.#names)
    this.#preconnections = new Preconnections({
      max: config.warmConnections,
      dial: () => this.#preconnect(),
      unused: (event) => telemetry.upstream?.(event),
      ...(lastSession && { lastSession }),
    })
  }

  /**
   * A connection for a session that begins, or a failure. `report` gets each dial, or the handover of a preconnected upstream.
   */
  async reach(signal: CancelSignal, report: (event: Dial | Handover) => void): Promise<Reached> {
    const { upstreams, dialTimeoutMs } = this.#options.config
    const ready = await this.#preconnections.take(now())
    if (!ready) return dialInOrder(this.#dialer, upstreams, dialTimeoutMs, signal, report)
    report({ type: 'handover', at: now(), dial: ready.dial, preconnected: true })
    return ready
  }

  /** Called about once a second. */
  tick(at: number): void {
    if (this.#stopDialling.aborted) return
    this.#preconnections.tick(at)
    this.#names.tick()
  }

  /** Closes what no session uses, and makes nothing new. Sessions that are being served continue. */
  close(): void {
    this.#preconnections.close(now())
    this.#names.close()
    this.#stopDialling.abort()
  }

  async #preconnect(): Promise<DialResult> {
    const { config, telemetry } = this.#options
    const result = await this.#dialer.dial(config.upstreams[0]!, config.dialTimeoutMs, this.#stopDialling)
    telemetry.dial(result.dial)
    return result
  }
}
