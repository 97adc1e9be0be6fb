/** Reads the PROXY header that a trusted load balancer must send before anything else, TLS included. */
import type { ClientConnection } from '../connection/client-connection.ts'
import type { ProxyHeaderFault } from '../events/closed-sets.ts'
import { ProxyHeaderReader, type ProxySource } from '../net/proxy-protocol.ts'

/**
 * The result of waiting: a header and the bytes that followed it, a fault, or a client that left without having sent a
 * byte, as health checks of load balancers do.
 */
export type ExpectedHeader =
  | { readonly source: ProxySource | undefined; readonly rest: Buffer }
  | { readonly fault: ProxyHeaderFault }
  | { readonly left: 'client_closed' | 'client_reset' }

/**
 * Reads the header of a connection within `limitMs` milliseconds. `settle` is called once, in the turn in which the header
 * is complete, with the connection paused. The connection's owner must listen to it again in that turn.
 */
export function expectProxyHeader(
  client: ClientConnection,
  limitMs: number,
  settle: (outcome: ExpectedHeader) => void,
): void {
  const reader = new ProxyHeaderReader()
  let silent = true
  let settled = false
  const done = (outcome: ExpectedHeader) => {
    if (settled) return
    settled = true
    clearTimeout(timer)
    settle(outcome)
  }
  const timer = setTimeout(() => done({ fault: 'timeout' }), limitMs)
  const gone = (left: 'client_closed' | 'client_reset') => done(silent ? { left } : { fault: 'incomplete' })
  client.listen({
    data: (chunk) => {
      silent = false
      const step = reader.push(chunk)
      if (step === 'more') return
      client.pause()
      done('error' in step ? { fault: step.error } : step)
    },
    ended: () => gone('client_closed'),
    drained: () => {},
    closed: (reset) => gone(reset ? 'client_reset' : 'client_closed'),
  })
  client.resume()
}
