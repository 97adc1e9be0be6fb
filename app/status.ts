/** What the running proxy knows about itself, for its status page and its live tail. */
import { readdirSync } from 'node:fs'
import { hostname } from 'node:os'
import packageJson from '../package.json' with { type: 'json' }
import { canonicalAddress, clientNetwork } from '../proxy/net/networks.ts'
import { ownOpenFilesLimit } from '../proxy/server/fd-limit.ts'
import type { MailServer } from '../proxy/server/server.ts'
import { CHANGES } from '../proxy/session/changes.ts'
import { clientNames } from '../proxy/settings/client-names.ts'
import type { Config, ListenAddress } from '../proxy/settings/config.ts'
import { Failures } from '../status/failures.ts'
import { Feed } from '../status/feed.ts'
import { RefusedClients, type ShowClient } from '../status/refused-clients.ts'
import { type Instance, type Limits, reportOf, type StatusReport } from '../status/report.ts'
import { Tail } from '../status/tail/tail.ts'
import { Upstreams } from '../status/upstreams.ts'
import { type Settings, warningsOf } from './settings.ts'

/** Collects from the events of the proxy what the page and the tail show. */
export class Status {
  readonly feed: Feed
  readonly failures: Failures
  readonly refusedClients: RefusedClients
  readonly tail: Tail
  readonly #config: Config
  readonly #warnings: readonly string[]
  readonly #startedAt = Date.now()
  readonly #instance: Instance

  /** `instanceId`: the `service.instance.id` of its telemetry, if there is telemetry. */
  constructor(settings: Settings, instanceId?: string) {
    this.#instance = { host: hostname(), ...(instanceId !== undefined && { id: instanceId }) }
    this.#config = settings.config
    this.#warnings = warningsOf(settings, process.env)
    const show = clientsAs(settings.config)
    this.failures = new Failures(show)
    this.refusedClients = new RefusedClients(show)
    this.tail = new Tail([...clientNames(settings.config), 'other'])
    this.feed = new Feed(new Upstreams(settings.config.upstreams.map(({ host, port }) => `${host}:${port}`)))
  }

  /** The report of this moment. */
  report(server: MailServer): StatusReport {
    const surroundings = {
      version: packageJson.version,
      instance: this.#instance,
      startedAt: this.#startedAt,
      draining: server.draining,
      listeners: server.bound.map(({ listener, port }) => withPort(listener, port)),
      limits: limitsOf(server, this.#config),
      warnings: this.#warnings,
      refusedClients: this.refusedClients.report(),
      changes: CHANGES,
    }
    return reportOf(this.feed, this.failures.reports(), surroundings, Date.now())
  }
}

/** Without PROXY_RECORD_ADDRESSES, only the network of a client is shown, and never its address. */
function clientsAs({ recordAddresses }: Config): ShowClient {
  return recordAddresses === 'none' ? clientNetwork : (address) => canonicalAddress(address) ?? address
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
