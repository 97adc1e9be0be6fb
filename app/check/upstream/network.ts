/** Checks the network path to the upstreams: the addresses of their names, and the usual ports. */
import { type LookupAddress, promises } from 'node:dns'
import net from 'node:net'
import { authority } from '../../../proxy/settings/addresses.ts'
import type { Config } from '../../../proxy/settings/config.ts'
import { runbook } from '../steps/help.ts'
import { failed, note, type Outcome, ok, type Step } from '../steps/step.ts'

import type { Dialled } from './upstreams.ts'

/** The ports at which AhaSend accepts SMTP. The first one that works is recommended. */
const USUAL_PORTS = [587, 2525, 25]
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
    next: `Check the name in PROXY_UPSTREAM and the name server in /etc/resolv.conf. To test the name: getent hosts ${host}`,
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
 * One step for each host: which of the usual ports answer, and whether IPv6 works if the name has addresses of both families.
 * The upstreams that the steps before dialled are not dialled again. Skips unencrypted upstreams, which are not AhaSend.
 */
export function portSteps(
  { upstreams }: Pick<Config, 'upstreams'>,
  dialled: Dialled,
  usual = USUAL_PORTS,
  find = findAll,
): readonly Step[] {
  const hosts = Map.groupBy(
    upstreams.filter(({ tls }) => tls),
    ({ host }) => host,
  )
  return [...hosts].map(([host, servers]) => {
    const configured = servers.map(({ port }) => port)
    const run = () => probeAll(host, configured, { dialled, usual, find })
    return { group: 'Upstreams', title: `ports of ${host}`, run }
  })
}

interface Ports {
  readonly dialled: Dialled
  readonly usual: readonly number[]
  readonly find: FindAddresses
}

async function probeAll(
  host: string,
  configured: readonly number[],
  { dialled, usual, find }: Ports,
): Promise<Outcome> {
  const ports = [...new Set([...configured, ...usual])].sort((one, other) => one - other)
  const resultOf = async (port: number) => {
    if (!configured.includes(port)) return probe(host, port)
    return dialled.reached.has(authority({ host, port })) ? WORKS : 'fails (see above)'
  }
  const found = await Promise.all(ports.map(async (port) => ({ port, result: await resultOf(port) })))
  const works = (port: number) => found.some((each) => each.port === port && each.result === WORKS)
  const answers = configured.some((port) => works(port) || dialled.answered.has(authority({ host, port })))
  const details = answers ? [] : [adviceFor(host, usual.find(works))]
  const broken = await brokenIpv6(host, configured.find(works) ?? usual.find(works), find)
  return note(found.map(({ port, result }) => `port ${port} ${result}`).join(', '), [...details, ...broken])
}

/** A warning if a name has addresses of both families, a port works, and IPv6 does not. Mail then takes IPv4. */
async function brokenIpv6(host: string, port: number | undefined, find: FindAddresses): Promise<readonly string[]> {
  if (port === undefined || net.isIP(host) !== 0) return []
  const found = await find(host).catch(() => [])
  const address = found.find(({ family }) => family === 6)?.address
  if (address === undefined || !found.some(({ family }) => family === 4)) return []
  const result = await probe(address, port)
  if (result === WORKS) return []
  const effect =
    'The proxy uses IPv4 instead; a new connection may take 0.25 s longer. Fix IPv6 on this machine or turn it off.'
  return [`warning: IPv6 does not work: ${authority({ host: address, port })} ${result}. ${effect}`]
}

const WORKS = 'works'

/** `port`: one that works, if there is one. */
function adviceFor(host: string, port: number | undefined): string {
  if (port !== undefined) return `Next: set PROXY_UPSTREAM=smtp://${authority({ host, port })}`
  if (net.isIPv6(host))
    return 'Next: IPv6 may not work on this machine. Set a name or an IPv4 address in PROXY_UPSTREAM.'
  return (
    `Next: no port works. Allow outgoing TCP connections to ${host}, port 587 or 2525, in each firewall: this machine's, ` +
    "the network's, the cloud provider's."
  )
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
