/** A drain, and the wait for a last scrape of what it cut. */
import type { OtelSettings } from '../otel/settings/effective.ts'
import type { Admin } from '../proxy/admin/admin.ts'
import type { MailServer } from '../proxy/server/server.ts'
import { graceLeft } from '../proxy/settings/stop-grace.ts'
import type { Settings } from './settings.ts'

/** The part of the logger that a drain needs. */
interface DrainLog {
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
}

/** The running proxy, as far as a drain is concerned. */
interface Drained {
  readonly server: Pick<MailServer, 'drain'>
  /** Absent if PROXY_ADMIN is `off`. */
  readonly admin: Pick<Admin, 'nextScrape'> | undefined
  readonly settings: Settings
  readonly log: DrainLog
}

/**
 * Drains the server. If sessions were cut, the admin server stays until the next scrape, because no later process reports
 * these failures; nothing else is worth a longer stop. `began` is the time of the signal, by `performance.now()`.
 */
export async function drain({ server, admin, settings, log }: Drained, began: number): Promise<void> {
  const cut = await server.drain()
  if (cut === 0) return
  log.warn({ cut }, 'sessions cut at the drain timeout')
  if (!isScraped(settings.otel)) return
  const limitMs = graceLeft(settings.config.stopGraceMs, began)
  const scrape = admin?.nextScrape(limitMs)
  if (scrape) log.info({ seconds: Math.ceil(limitMs / 100) / 10 }, 'waiting for the last scrape')
  await scrape
}

function isScraped({ disabled, metrics }: OtelSettings): boolean {
  return !disabled && metrics.prometheus
}
