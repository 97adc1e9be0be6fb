/** The facts on the status page of the running proxy. */
import packageJson from '../package.json' with { type: 'json' }
import type { Status } from '../proxy/admin/status-page.ts'
import type { MailServer } from '../proxy/server/server.ts'
import { CHANGES } from '../proxy/session/changes.ts'
import type { Config, ListenAddress } from '../proxy/settings/config.ts'

/** Returns the current status. `startedAt` is in milliseconds since the Unix epoch. */
export function statusOf(server: MailServer, { upstreams }: Config, startedAt: number): Status {
  return {
    version: packageJson.version,
    uptimeSeconds: Math.floor((Date.now() - startedAt) / 1000),
    listeners: server.bound.map(({ listener, port }) => withPort(listener, port)),
    upstreams: upstreams.map(({ host, port }) => `${host}:${port}`),
    activeSessions: server.activeSessions,
    draining: server.draining,
    changes: CHANGES,
  }
}

function withPort({ scheme, host }: ListenAddress, port: number): string {
  return `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}`
}
