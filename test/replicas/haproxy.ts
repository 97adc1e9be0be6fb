/** HAProxy with the configuration of compose.yaml, in front of replicas on this machine. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import { listening } from '../../bench/compare/processes/ports.ts'
import { pathOf, start } from '../../bench/compare/processes/process.ts'
import { temporaryDirectory } from '../support/files/temporary-files.ts'

const ROOT = join(import.meta.dirname, '../..')

/** Where a replica listens. */
export interface Server {
  readonly host: string
  readonly port: number
  readonly adminPort: number
}

/** Why HAProxy cannot run, and how to fix that; undefined when it can. */
export function haproxyMissing(): string | undefined {
  return pathOf('haproxy') === undefined ? 'haproxy is not installed: apt-get install haproxy' : undefined
}

/** The configuration of HAProxy in compose.yaml. */
export function shippedConfiguration(): string {
  const text = readFileSync(join(ROOT, 'compose.yaml'), 'utf8')
  const { services } = parse(text, { logLevel: 'silent', merge: true }) as {
    readonly services: { readonly haproxy: { readonly environment: { readonly HAPROXY_CONFIG: string } } }
  }
  return services.haproxy.environment.HAPROXY_CONFIG
}

/** The same configuration with servers of this machine instead of names that only a container engine knows. */
export function localConfiguration(port: number, servers: readonly Server[]): string {
  const changes: readonly (readonly [what: RegExp, by: string])[] = [
    [/^( *)bind :2525$/m, `$1bind 127.0.0.1:${port}`],
    [/^# For the probe.*\nlisten probe\n( .*\n)+/m, ''],
    [/^listen health\n( .*\n)+/m, ''],
    [/^resolvers engine\n( .*\n)+/m, ''],
    [/^ *server standby .*\n/m, ''],
    [/^ *server-template replica- .* check port 9464 (.*) resolvers engine init-addr none$/m, listed(servers)],
  ]
  return changes.reduce((text, [what, by]) => {
    if (!what.test(text)) throw new Error(`the configuration of HAProxy in compose.yaml has no ${what}`)
    return text.replace(what, by)
  }, shippedConfiguration())
}

function listed(servers: readonly Server[]): string {
  const lines = servers.map(
    ({ host, port, adminPort }, index) => `  server replica-${index + 1} ${host}:${port} check port ${adminPort} $1`,
  )
  return lines.join('\n')
}

/**
 * Starts HAProxy on this port. Servers that do not listen yet join when they do. `change` may change the configuration.
 */
export async function startHaproxy(
  port: number,
  servers: readonly Server[],
  change = (configuration: string) => configuration,
): Promise<AsyncDisposable> {
  const { path, remove } = temporaryDirectory('haproxy-')
  const file = join(path, 'haproxy.cfg')
  writeFileSync(file, change(localConfiguration(port, servers)))
  const { failure, stop } = start('haproxy', ['-db', '-f', file])
  await listening(port, failure)
  return {
    async [Symbol.asyncDispose]() {
      await stop()
      remove()
    },
  }
}
