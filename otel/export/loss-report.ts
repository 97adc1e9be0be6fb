import type { TellLoss } from './delivery.ts'
import type { Signal } from './losses.ts'

/** A dead receiver is told of once a minute, not once a batch. */
const INTERVAL_MS = 60_000

/** Writes one line of the log. */
export type Warn = (fields: Readonly<Record<string, string | number>>, message: string) => void

/** Tells the log of losses, rarely, with their number. */
export interface LossReport {
  of(signal: Signal): TellLoss
  /** Tells what was not told yet. */
  flush(): void
}

interface Untold {
  items: number
  reason: string | undefined
  /** Set while a line of this kind was written less than a minute ago. */
  timer?: NodeJS.Timeout
}

/** The first loss of a kind is told at once; those of the minute after it in one line when it is over. */
export function createLossReport(warn: Warn): LossReport {
  const kinds = new Map<string, { readonly untold: Untold; readonly tell: () => void }>()
  const kindOf = (signal: Signal, loss: string) => {
    const untold: Untold = { items: 0, reason: undefined }
    const tell = () => {
      delete untold.timer
      if (untold.items === 0) return
      const { items, reason } = untold
      untold.items = 0
      untold.timer = setTimeout(tell, INTERVAL_MS).unref()
      const fields = { 'telemetry.signal': signal, 'telemetry.loss': loss, lost: items, ...(reason && { reason }) }
      warn(fields, 'telemetry lost')
    }
    return { untold, tell }
  }
  return {
    of: (signal) => (loss, items, reason) => {
      const key = `${signal} ${loss}`
      const kind = kinds.get(key) ?? kindOf(signal, loss)
      kinds.set(key, kind)
      kind.untold.items += items
      kind.untold.reason = reason
      if (kind.untold.timer === undefined) kind.tell()
    },
    flush() {
      for (const { untold, tell } of kinds.values()) {
        clearTimeout(untold.timer)
        tell()
        clearTimeout(untold.timer)
      }
    },
  }
}
