/** smtp-source of Postfix as the load generator: written in C, so it takes little CPU from the machine. It measures no times. */
import { once } from 'node:events'
import { pathOf, start } from '../processes/process.ts'
import type { ClosedOrder, Report } from './orders.ts'

/** How long one run may take. */
const LIMIT_MS = 120_000

/** True if smtp-source can perform the order: it knows neither TLS nor pipelining. */
export function canSend({ place, style }: ClosedOrder): boolean {
  return place.ca === undefined && style !== 'pipeline' && pathOf('smtp-source') !== undefined
}

/** Performs the order. `mailConfig` is a folder with a main.cf. */
export async function smtpSource(order: ClosedOrder, mailConfig: string, signal: AbortSignal): Promise<Report> {
  const { place, bytes, connections, messages, style } = order
  const sessions = Math.min(connections, messages)
  const counts = ['-s', `${sessions}`, '-m', `${messages}`, '-l', `${bytes}`]
  const addresses = ['-f', 'a@example.com', '-t', 'b@example.net', `127.0.0.1:${place.port}`]
  const began = performance.now()
  const source = start('smtp-source', [...counts, ...(style === 'keep' ? ['-d'] : []), ...addresses], {
    env: { ...process.env, MAIL_CONFIG: mailConfig },
  })
  try {
    const bounds = AbortSignal.any([signal, AbortSignal.timeout(LIMIT_MS)])
    const [code] = await once(source.child, 'exit', { signal: bounds })
    if (code !== 0) throw new Error(source.failure() ?? `smtp-source exited with ${code}`)
  } finally {
    await source.stop()
  }
  return { messages, seconds: (performance.now() - began) / 1000, latencies: [], lateness: [] }
}
