/** Free ports, and waiting until a program listens. */
import { once } from 'node:events'
import net from 'node:net'
import { listenOnLoopback } from '../../../test/support/sockets/listen.ts'
import { until } from '../../../test/support/waiting/until.ts'

/** A port of the loopback interface that is free now, for programs that cannot choose one. */
export async function freePort(): Promise<number> {
  const server = net.createServer()
  const port = await listenOnLoopback(server)
  await new Promise((closed) => server.close(closed))
  return port
}

/** Resolves when the port accepts connections. Rejects after ten seconds, or as soon as `failed` returns a reason. */
export async function listening(port: number, failed: () => string | undefined): Promise<void> {
  await until(
    `port ${port} accepts connections`,
    async () => {
      const reason = failed()
      if (reason !== undefined) throw new Error(reason)
      return accepts(port)
    },
    { limitMs: 10_000, everyMs: 20 },
  )
}

async function accepts(port: number): Promise<boolean> {
  const socket = net.connect(port, '127.0.0.1')
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}
