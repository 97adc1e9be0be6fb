/** What the running proxy knows about itself, for its status page and its live tail. */
import { readdirSync } from 'node:fs'
import packageJson from '../package.json' with { type: 'json' }
import { ownOpenFilesLimit } from '../proxy/server/fd-limit.ts'
import type { MailServer } from '../proxy/server/server.ts'
import { CHANGES } from '../proxy/session/changes.ts'
import { clientNames } from '../proxy/settings/client-names.ts'
import type { Config, ListenAddress } from '../proxy/settings/config.ts'
import { Failures } from '../status/failures.ts'
import { Feed } from '../status/feed.ts'
import { type Limits, reportOf, type StatusReport } from '../status/report.ts'
import { Tail } from '../status/tail/tail.ts'
import { Upstreams } from '../status/upstreams.ts'
import { type Settings, warningsOf } from './settings.ts'

/** Collects from the events of the proxy what the page and the tail show. */
export class Status {
  readonly feed: Feed
  readonly failures = new Failures()
  readonly tail: Tail
  readonly #config: Config
  readonly #warnings: readonly string[]
  readonly #startedAt = Date.now()

  constructor(settings: Settings) {
    this.#config = settings.config
    this.#warnings = warningsOf(settings, process.env)
    this.tail = new Tail([...clientNames(settings.config), 'other'])
    this.feed = new Feed(new Upstreams(settings.config.upstreams.map(({ host, port }) => `${host}:${port}`)))
  }

  /** The report of this moment. */
  report(server: MailServer): StatusReport {
    const surroundings = {
      version: packageJson.version,
      startedAt: this.#startedAt,
      draining: server.draining,
      listeners: server.bound.map(({ listener, port }) => withPort(listener, port)),
      limits: limitsOf(server, this.#config),
      warnings: this.#warnings,
      changes: CHANGES,
    }
    return reportOf(this.feed, this.failures.reports(), surroundings, Date.now())
  }
}

function withPort({ scheme, host }: ListenAddress, port: number): string {
  return `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}`
}

function limitsOf({ activeSessions }: MailServer, { maxSessions }: Config): Limits {
  const [openFiles, maxOpenFiles] = [countOpenFiles(), ownOpenFilesLimit()]
  return {
    sessions: activeSessions,
    maxSessions,
    ...(openFiles !== undefined && { openFiles }),
    ...(maxOpenFiles !== undefined && { maxOpenFiles }),
  }
}

/** Linux only; undefined elsewhere. */
function countOpenFiles(): number | undefined {
  try {
    return readdirSync('/proc/self/fd').length
  } catch {
    return undefined
  }
}
