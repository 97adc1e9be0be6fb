import type { ReportLoss } from './delivery.ts'
import type { Signal } from './losses.ts'

/** A receiver that is down causes one line per minute, not one per batch. */
const INTERVAL_MS = 60_000

/** Writes one line of the log. */
export type Warn = (fields: Readonly<Record<string, string | number>>, message: string) => void

/** Logs the number of lost items, with a limited rate. */
export interface LossReport {
  /** The function that reports losses of `signal`. */
  of(signal: Signal): ReportLoss
  /** Logs losses that no line has reported yet. */
  flush(): void
}

/** The losses of one kind that no line has reported yet. */
interface Unreported {
  items: number
  reason: string | undefined
  /** Set for a minute after each line of this kind. */
  timer?: NodeJS.Timeout
}

/** Logs the first loss of a kind immediately, and those of the following minute in one line at its end. */
export function createLossReport(warn: Warn): LossReport {
  const kinds = new Map<string, { readonly unreported: Unreported; readonly write: () => void }>()
  const kindOf = (signal: Signal, loss: string) => {
    const unreported: Unreported = { items: 0, reason: undefined }
    const write = () => {
      delete unreported.timer
      if (unreported.items === 0) return
      const { items, reason } = unreported
      unreported.items = 0
      unreported.timer = setTimeout(write, INTERVAL_MS).unref()
      const fields = { 'telemetry.signal': signal, 'telemetry.loss': loss, lost: items, ...(reason && { reason }) }
      warn(fields, 'telemetry lost')
    }
    return { unreported, write }
  }
  return {
    of: (signal) => (loss, items, reason) => {
      const key = `${signal} ${loss}`
      const kind = kinds.get(key) ?? kindOf(signal, loss)
      kinds.set(key, kind)
      kind.unreported.items += items
      kind.unreported.reason = reason
      if (kind.unreported.timer === undefined) kind.write()
    },
    flush() {
      for (const { unreported, write } of kinds.values()) {
        clearTimeout(unreported.timer)
        write()
        clearTimeout(unreported.timer)
      }
    },
  }
}
