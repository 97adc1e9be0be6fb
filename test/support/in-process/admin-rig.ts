/** An admin server, and clients that send requests or raw bytes to it. */
import net from 'node:net'
import type { TestContext } from 'node:test'
import { type Admin, type AdminOptions, startAdmin } from '../../../proxy/admin/admin.ts'

export async function admin(context: TestContext, options: Partial<AdminOptions> = {}): Promise<Admin> {
  const started = await startAdmin({
    host: '127.0.0.1',
    port: 0,
    page: async () => '# a page\n',
    pages: new Map([['/', () => ({ type: 'text/html; charset=utf-8', body: '<p>status</p>' })]]),
    streams: new Map(),
    ready: () => true,
    ...options,
  })
  context.after(() => started.close())
  return started
}

/** A time limit for connections that must be cut, long enough for other requests on a busy machine. */
export const SHORT_MS = 2000

interface Received {
  readonly status: number
  readonly headers: Headers
  readonly text: string
}

export async function request({ port }: Admin, path: string, init: RequestInit = {}): Promise<Received> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, init)
  return { status: response.status, headers: response.headers, text: await response.text() }
}

/** Sends exactly these bytes. Returns everything that the server sends until it closes. */
export async function raw({ port }: Admin, bytes: string): Promise<string> {
  const socket = net.connect(port, '127.0.0.1')
  let received = ''
  socket.on('data', (chunk) => (received += chunk.toString('latin1')))
  socket.write(bytes)
  await closed(socket)
  return received
}

/** Resolves when the socket is closed, also by a reset. */
export function closed(socket: net.Socket): Promise<void> {
  return new Promise((settle) => {
    socket.on('error', () => {}).once('close', () => settle())
  })
}
