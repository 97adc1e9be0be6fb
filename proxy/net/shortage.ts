/**
 * Shortages of this machine: a connection fails because the machine has no descriptors, ports or memory left. They indicate
 * nothing about the upstream.
 */
import fs from 'node:fs'
import net from 'node:net'

/** How to raise the file descriptor limit of a process. */
export const RAISE_OPEN_FILES = 'ulimit -n, docker run --ulimit nofile=, LimitNOFILE='

const MORE_MEMORY = 'add memory to this machine, or raise the share of its sockets (sysctl net.ipv4.tcp_mem)'

/** The advice, by the system's error code (socket(2), connect(2)). */
const ADVICE: ReadonlyMap<unknown, string> = new Map([
  ['EMFILE', `raise the file descriptor limit of the proxy (${RAISE_OPEN_FILES})`],
  ['ENFILE', 'raise the file descriptor limit of this machine (sysctl fs.file-max)'],
  ['EADDRNOTAVAIL', 'widen the range of local ports (sysctl net.ipv4.ip_local_port_range)'],
  ['ENOBUFS', MORE_MEMORY],
  ['ENOMEM', MORE_MEMORY],
])

/** The advice to the operator if `error` is a shortage of this machine, otherwise undefined. */
export function shortageOf(error: unknown): string | undefined {
  const { code, address } = (error ?? {}) as { readonly code?: unknown; readonly address?: unknown }
  // a host without IPv6 reports EADDRNOTAVAIL for every IPv6 address
  if (code === 'EADDRNOTAVAIL' && !net.isIPv4(String(address))) return undefined
  return ADVICE.get(code)
}

/**
 * The system's error if it refuses one more descriptor, otherwise undefined. A resolver that cannot open a socket or a file
 * reports an unknown name, so a failed lookup alone does not show the cause.
 */
export function descriptorShortage(): Error | undefined {
  try {
    fs.closeSync(fs.openSync('/dev/null', 'r'))
    return undefined
  } catch (error) {
    return shortageOf(error) === undefined ? undefined : (error as Error)
  }
}
