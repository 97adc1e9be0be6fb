/** Checks the network path to the upstreams: the addresses of their names, and the usual ports. */
import { type LookupAddress, promises } from 'node:dns'
import net from 'node:net'
import { authority } from '../../proxy/settings/addresses.ts'
import type { Config } from '../../proxy/settings/config.ts'
import { runbook } from './replies.ts'
import { failed, note, type Outcome, ok, type Step } from './step.ts'

/** The ports at which AhaSend accepts SMTP. */
const USUAL_PORTS = [25, 587, 2525]
const PORT_MS = 3000

/** Finds the addresses of a name. */
export type FindAddresses = (host: string) => Promise<readonly LookupAddress[]>

const findAll: FindAddresses = (host) => promises.lookup(host, { all: true, order: 'verbatim' })

/** One step for each host name of the upstreams. */
export function dnsSteps({ upstreams, dialTimeoutMs }: Config, find: FindAddresses = findAll): readonly Step[] {
  const names = new Set(upstreams.map(({ host }) => host).filter((host) => net.isIP(host) === 0))
  return [...names].map((host) => ({
    group: 'DNS',
    title: `name ${host}`,
    run: () => resolve(host, find, dialTimeoutMs),
  }))
}

async function resolve(host: string, find: FindAddresses, limitMs: number): Promise<Outcome> {
  const help = {
    next: `Check the name in PROXY_UPSTREAM, /etc/resolv.conf and the name server: getent hosts ${host}`,
    see: runbook('AhaSendUnreachable'),
  }
  try {
    const found = await Promise.race([find(host), later(limitMs)])
    if (!found) return failed(`the resolver does not answer within ${limitMs} ms`, help)
    return ok(`${addressesOf(found, 4, 'IPv4')}; ${addressesOf(found, 6, 'IPv6')}`)
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown'
    return failed(
      `${code === 'EAI_AGAIN' ? 'the resolver does not answer' : 'the name does not resolve'} (${code})`,
      help,
    )
  }
}

function addressesOf(found: readonly LookupAddress[], family: number, name: string): string {
  const addresses = found.filter((address) => address.family === family).map(({ address }) => address)
  return addresses.length === 0 ? `no ${name} address` : `${name} ${addresses.join(', ')}`
}

function later(ms: number): Promise<undefined> {
  return new Promise((settle) => setTimeout(settle, ms, undefined).unref())
}

/**
 * One step for each host: which of the usual ports answer. `reached` holds the upstreams (`host:port`) that the steps before
 * reached, so that these are not dialled twice. Skips unencrypted upstreams, which are not AhaSend.
 */
export function portSteps(
  { upstreams }: Pick<Config, 'upstreams'>,
  reached: ReadonlySet<string>,
  usual = USUAL_PORTS,
): readonly Step[] {
  const hosts = Map.groupBy(
    upstreams.filter(({ tls }) => tls),
    ({ host }) => host,
  )
  return [...hosts].map(([host, servers]) => {
    const configured = servers.map(({ port }) => port)
    const run = () => probeAll(host, configured, { reached, usual })
    return { group: 'Upstreams', title: `ports of ${host}`, run }
  })
}

interface Ports {
  readonly reached: ReadonlySet<string>
  readonly usual: readonly number[]
}

async function probeAll(host: string, configured: readonly number[], { reached, usual }: Ports): Promise<Outcome> {
  const ports = [...new Set([...configured, ...usual])].sort((one, other) => one - other)
  const resultOf = async (port: number) => {
    if (!configured.includes(port)) return probe(host, port)
    return reached.has(authority({ host, port })) ? WORKS : 'fails (see above)'
  }
  const found = await Promise.all(ports.map(async (port) => ({ port, result: await resultOf(port) })))
  const works = (port: number) => found.some((each) => each.port === port && each.result === WORKS)
  const instead = usual.find((port) => works(port) && !configured.includes(port))
  const advice = configured.some(works) || instead === undefined ? [] : [adviceFor(host, instead)]
  return note(found.map(({ port, result }) => `port ${port} ${result}`).join(', '), advice)
}

const WORKS = 'works'

function adviceFor(host: string, port: number): string {
  return `Next: set PROXY_UPSTREAM=smtp://${authority({ host, port })}`
}

/** Connects and waits for a greeting: some firewalls accept the connection and never answer. */
function probe(host: string, port: number): Promise<string> {
  return new Promise((settle) => {
    let isConnected = false
    const socket = net.connect({ host, port, autoSelectFamily: true })
    const done = (result: string) => {
      clearTimeout(timer)
      socket.destroy()
      settle(result)
    }
    const silent = () => done(isConnected ? 'connects but sends no greeting' : 'is blocked here (no answer)')
    const timer = setTimeout(silent, PORT_MS)
    socket.once('connect', () => {
      isConnected = true
    })
    socket.once('data', (chunk) => done(chunk.toString('latin1', 0, 3) === '220' ? WORKS : 'answers with a refusal'))
    socket.once('end', () => done('closes without a greeting'))
    socket.once('error', ({ code }: NodeJS.ErrnoException) => done(reasonOf(code)))
  })
}

function reasonOf(code: string | undefined): string {
  if (code === 'ECONNREFUSED') return 'refuses connections'
  return code === 'ETIMEDOUT' ? 'is blocked here (no answer)' : `cannot be reached (${code ?? 'unknown'})`
}
