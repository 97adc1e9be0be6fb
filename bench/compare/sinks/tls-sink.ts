/** The upstream with TLS: a program of our own, because smtp-sink has no TLS. */
import { fileURLToPath } from 'node:url'
import { type NodeProgram, startNode } from '../processes/node-program.ts'

export interface TlsSinkPorts {
  readonly starttls: number
  /** TLS from the first byte. */
  readonly implicit: number
}

/** Starts the sink with a certificate and its key, as paths of PEM files. */
export function startTlsSink(certFile: string, keyFile: string): Promise<NodeProgram<TlsSinkPorts>> {
  return startNode<TlsSinkPorts>(fileURLToPath(new URL('tls-sink-main.ts', import.meta.url)), [certFile, keyFile])
}
