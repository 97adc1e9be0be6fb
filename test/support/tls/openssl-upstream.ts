import assert from 'node:assert/strict'
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import * as net from 'node:net'
import { listenOnLoopback } from '../sockets/listen.ts'

/** An upstream that uses the TLS server of the `openssl` command. */
export interface OpensslUpstream {
  readonly port: number
  /** The first bytes of each TLS connection: its ClientHello. */
  readonly hellos: readonly Buffer[]
  /** Sends a line inside TLS, on the open connection. */
  say(line: string): void
  close(): Promise<void>
}

/** Whether the `openssl` command is installed. */
export async function hasOpenssl(): Promise<boolean> {
  const [code] = await once(spawn('openssl', ['version'], { stdio: 'ignore' }), 'exit').catch(() => [1])
  return code === 0
}

/**
 * Starts `openssl s_server` with TLS 1.3, after a plaintext preamble. It issues a new ticket whenever a session is
 * resumed, as many servers do. Node's server issues tickets only after full handshakes.
 */
export async function startOpensslUpstream(certFile: string, keyFile: string): Promise<OpensslUpstream> {
  const args = ['s_server', '-tls1_3', '-crlf', '-accept', '127.0.0.1:0', '-cert', certFile, '-key', keyFile]
  const openssl = spawn('openssl', args)
  const secured = await portOf(openssl)
  const hellos: Buffer[] = []
  const server = net.createServer(async (socket) => {
    await preamble(socket, secured)
    socket.once('data', (hello) => hellos.push(hello))
  })
  const port = await listenOnLoopback(server)
  return {
    port,
    hellos,
    say: (line) => openssl.stdin.write(`${line}\n`),
    async close() {
      server.close()
      const ended = once(openssl, 'exit')
      openssl.kill()
      await ended
    },
  }
}

/** The port that the command prints once it listens. */
async function portOf(openssl: ChildProcessWithoutNullStreams): Promise<number> {
  let output = ''
  for await (const chunk of openssl.stdout.iterator({ destroyOnReturn: false })) {
    output += chunk
    const [, port] = /^ACCEPT 127\.0\.0\.1:(\d+)$/m.exec(output) ?? []
    if (port !== undefined) {
      openssl.stdout.resume()
      return Number(port)
    }
  }
  return assert.fail(`openssl does not listen: ${output}`)
}

async function preamble(socket: net.Socket, secured: number): Promise<void> {
  socket.write('220 mail.example ESMTP\r\n')
  await once(socket, 'data')
  socket.write('250-mail.example\r\n250 STARTTLS\r\n')
  await once(socket, 'data')
  const inside = net.connect(secured, '127.0.0.1')
  for (const end of [socket, inside]) end.on('error', () => end.destroy())
  socket.pipe(inside).pipe(socket)
  socket.write('220 go\r\n')
}
