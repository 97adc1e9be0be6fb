/**
 * Shortages of this machine: a connection is not made because the machine has run out of something that it needs. They say
 * nothing about the upstream.
 */
import fs from 'node:fs'
import net from 'node:net'

/** How to let a process open more files. */
export const RAISE_OPEN_FILES = 'ulimit -n, docker run --ulimit nofile=, LimitNOFILE='

const MORE_MEMORY = 'give this machine more memory, or its sockets a larger part of it (sysctl net.ipv4.tcp_mem)'

/** What to raise, by the system's error code (socket(2), connect(2)). */
const ADVICE: ReadonlyMap<unknown, string> = new Map([
  ['EMFILE', `raise the limit of open files of the proxy (${RAISE_OPEN_FILES})`],
  ['ENFILE', 'raise the limit of open files of this machine (sysctl fs.file-max)'],
  ['EADDRNOTAVAIL', 'widen the range of local ports (sysctl net.ipv4.ip_local_port_range)'],
  ['ENOBUFS', MORE_MEMORY],
  ['ENOMEM', MORE_MEMORY],
])

/** What the operator can raise when `error` is a shortage of this machine; undefined when it is none. */
export function shortageOf(error: unknown): string | undefined {
  const { code, address } = (error ?? {}) as { readonly code?: unknown; readonly address?: unknown }
  // a host whose IPv6 is switched off says EADDRNOTAVAIL of every IPv6 address
  if (code === 'EADDRNOTAVAIL' && !net.isIPv4(String(address))) return undefined
  return ADVICE.get(code)
}

/**
 * The system's error when it refuses one more descriptor, undefined while it grants one. Resolvers that cannot open a
 * socket or a file report that the name is unknown, so a failed look-up needs a second opinion.
 */
export function descriptorShortage(): Error | undefined {
  try {
    fs.closeSync(fs.openSync('/dev/null', 'r'))
    return undefined
  } catch (error) {
    return shortageOf(error) === undefined ? undefined : (error as Error)
  }
}
