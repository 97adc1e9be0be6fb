/** TLS records of one byte: each write is one record. */
import type { TLSSocket } from 'node:tls'

/** Sends `count` records of one byte, or fewer when the connection ends. Resolves when the kernel has them all. */
export function sendRecords(client: TLSSocket, count: number): Promise<void> {
  return new Promise((sent) => {
    let left = count
    const next = () => void (left-- > 0 && client.writable ? client.write('x', next) : sent())
    next()
  })
}
