/** Warnings about settings that are allowed but probably a mistake. Pure. */
import { durationText } from '../../settings/durations.ts'
import { LOCAL_NETWORKS, type NetworkSet, parseNetworks } from '../net/networks.ts'
import type { Config, ListenAddress } from './config.ts'
import { EXIT_MS } from './stop-grace.ts'
import { SETTINGS } from './table.ts'

/** The warnings for the log at start and for `check`. */
export function configWarnings(config: Config): string[] {
  return [...plainTextPasswords(config), ...shortIdleTimeout(config), ...shortStopGrace(config)]
}

const loopback = parseNetworks('127.0.0.0/8,::1')

/** Private networks, shared address space (RFC 6598) and link-local addresses (RFC 3927, RFC 4291 2.5.6). */
const notPublic = parseNetworks(`${LOCAL_NETWORKS},100.64.0.0/10,169.254.0.0/16,fe80::/10`)

/**
 * One sentence or two for each listener that accepts AUTH in plain text while PROXY_ALLOW admits public networks. Only a
 * loopback address is safe to listen on: routers and clouds publish private ones.
 */
function plainTextPasswords({ listeners, allow }: Pick<Config, 'listeners' | 'allow'>): string[] {
  const admitted = publicNetworks(allow)
  if (admitted.length === 0) return []
  const [listen, allowed, certificate, key] = [
    SETTINGS.listeners.variable,
    SETTINGS.allow.variable,
    SETTINGS.certFile.variable,
    SETTINGS.keyFile.variable,
  ]
  return listeners
    .filter(isExposed)
    .map(
      ({ url }) =>
        `${listen}: ${url} accepts passwords in plain text, and ${allowed} admits clients outside private networks ` +
        `(${admitted.join(', ')}): anyone who can read the traffic can read the passwords. Append ?starttls=required, use ` +
        `smtps:// (both need ${certificate} and ${key}), or remove these networks from ${allowed}.`,
    )
}

function isExposed({ scheme, host, starttlsRequired }: ListenAddress): boolean {
  return scheme === 'smtp' && !starttlsRequired && host !== 'localhost' && !loopback.has(host)
}

function publicNetworks(allow: NetworkSet): string[] {
  return String(allow)
    .split(',')
    .filter((network) => {
      const [address = '', bits] = network.split('/')
      return !notPublic.covers(address, Number(bits))
    })
}

/** AhaSend closes a connection after this time without data (https://ahasend.com/docs/smtp). */
const AHASEND_IDLE_MS = 60_000

function shortIdleTimeout({ idleTimeoutMs }: Config): string[] {
  if (idleTimeoutMs > AHASEND_IDLE_MS) return []
  return [
    `${SETTINGS.idleTimeoutMs.variable}: ${durationText(idleTimeoutMs)} is not above AhaSend's limit of 60s: ` +
      "apps with idle sessions will see the proxy's 421 instead of AhaSend's. Set more than 60s.",
  ]
}

function shortStopGrace({ drainTimeoutMs, stopGraceMs }: Config): string[] {
  if (stopGraceMs >= drainTimeoutMs + EXIT_MS) return []
  const [drain, least] = [SETTINGS.drainTimeoutMs.variable, drainTimeoutMs + EXIT_MS]
  return [
    `${SETTINGS.stopGraceMs.variable}: ${durationText(stopGraceMs)} is less than ${durationText(EXIT_MS)} ` +
      `above ${drain}: the supervisor may kill the proxy while messages are in flight. Set at least ` +
      `${durationText(least)}, or lower ${drain}.`,
  ]
}
