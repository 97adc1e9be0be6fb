import type net from 'node:net'

/** How long a connection may be idle before the kernel sends a keepalive probe, in milliseconds. */
const KEEPALIVE_MS = 60_000

/** From now on the kernel notices a peer that vanishes. It takes four system calls, so short sessions go without. */
export function keepAlive(tcp: net.Socket): void {
  if (!tcp.destroyed) tcp.setKeepAlive(true, KEEPALIVE_MS)
}
