/** Checks that the listeners and the admin server can be opened. A running proxy may already have done so. */
import http from 'node:http'
import net from 'node:net'
import { listenError } from '../../../proxy/net/listen-error.ts'
import { lookupOwnFirst, ownAddresses } from '../../../proxy/net/own-addresses.ts'
import { ADMIN_IN_COMPOSE, authority } from '../../../proxy/settings/addresses.ts'
import type { Config } from '../../../proxy/settings/config.ts'
import { HELP } from './help.ts'
import { failed, note, type Outcome, ok, type Step } from './step.ts'

interface Endpoint {
  readonly variable: string
  /** As configured. */
  readonly url: string
  /** Without parameters, as the status of a running proxy shows it. */
  readonly address: string
  readonly host: string
  readonly port: number
}

/** How long the admin server of a running proxy may take to answer, in milliseconds. */
const ADMIN_MS = 2000

/** One step for each listener, and one for the admin server. */
export function listenerSteps({ listeners, admin }: Config): readonly Step[] {
  const own = listeners.map(({ url, scheme, host, port }) => {
    return { variable: 'PROXY_LISTEN', url, address: `${scheme}://${authority({ host, port })}`, host, port }
  })
  const page = admin ? [{ variable: 'PROXY_ADMIN', url: adminUrl(admin), address: adminUrl(admin), ...admin }] : []
  return [...own, ...page].map((endpoint) => ({
    group: 'Listeners',
    title: `${endpoint.variable === 'PROXY_ADMIN' ? 'admin server' : 'listener'} ${endpoint.url}`,
    run: () => canOpen(endpoint, admin),
  }))
}

function adminUrl(admin: NonNullable<Config['admin']>): string {
  return `http://${authority(admin)}`
}

async function canOpen(endpoint: Endpoint, admin: Config['admin']): Promise<Outcome> {
  const error = await openingError(endpoint)
  if (!error) return ok('can be opened')
  if (endpoint.url === ADMIN_IN_COMPOSE && error.syscall !== 'listen') return note(NAMELESS)
  const running = error.code === 'EADDRINUSE' && admin ? await runningProxy(admin) : undefined
  if (running?.has(endpoint)) return note(`in use by a running proxy, version ${running.version}`)
  const { message } = listenError(endpoint.variable, endpoint.url, error)
  return failed(`${message} (${error.code ?? 'unknown'})`, { next: nextAfter(error.code, endpoint), see: HELP.other })
}

function nextAfter(code: string | undefined, { variable, host, port }: Endpoint): string {
  if (code === 'EADDRINUSE') return `Find the program: ss -ltnp 'sport = :${port}'`
  if (code === 'EADDRNOTAVAIL') return `Correct ${variable}. To list the addresses of this machine: ip -brief address`
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return `Correct ${variable}. To test the name: getent hosts ${host}`
  return `Correct ${variable}.`
}

/** `docker compose run` starts a container without the names that `docker compose up` gives to the container of a service. */
const NAMELESS =
  'not tested: this container does not have the name that compose.yaml gives to the proxy. ' +
  'To test the running proxy: docker compose exec proxy node proxy.cjs check'

async function openingError(endpoint: Endpoint): Promise<NodeJS.ErrnoException | undefined> {
  if (endpoint.variable !== 'PROXY_ADMIN') return bind(endpoint)
  try {
    const hosts = await ownAddresses(endpoint.host)
    const errors = await Promise.all(hosts.map((host) => bind({ host, port: endpoint.port })))
    return errors.find((error) => error !== undefined)
  } catch (error) {
    return error as NodeJS.ErrnoException
  }
}

/** Opens and closes the port; returns the error if it cannot be opened. */
function bind({ host, port }: Pick<Endpoint, 'host' | 'port'>): Promise<NodeJS.ErrnoException | undefined> {
  return new Promise((settle) => {
    const server = net.createServer((socket) => socket.destroy())
    server.once('error', settle)
    server.listen({ host, port }, () => server.close(() => settle(undefined)))
  })
}

interface Running {
  readonly version: string
  /** Whether the running proxy uses this address. */
  has(endpoint: Endpoint): boolean
}

/** The proxy whose admin server is where ours would be; undefined if another program answers, or none. */
function runningProxy(admin: NonNullable<Config['admin']>): Promise<Running | undefined> {
  return new Promise((settle) => {
    const none = () => settle(undefined)
    const signal = AbortSignal.timeout(ADMIN_MS)
    const request = http.get({ ...admin, path: '/status.json', agent: false, lookup: lookupOwnFirst, signal })
    request.on('error', none).on('response', (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk)).on('error', none)
      response.on('end', () => settle(describe(Buffer.concat(chunks).toString(), admin)))
    })
  })
}

function describe(json: string, admin: NonNullable<Config['admin']>): Running | undefined {
  try {
    const { version, listeners } = JSON.parse(json) as { version?: unknown; listeners?: unknown }
    if (typeof version !== 'string' || !Array.isArray(listeners)) return undefined
    const used = [...listeners, adminUrl(admin)].map(String)
    return {
      version: version.replace(/[^0-9A-Za-z.+-]/g, '?').slice(0, 40),
      has: ({ address }) => used.includes(address),
    }
  } catch {
    return undefined
  }
}
