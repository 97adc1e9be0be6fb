/** Hostile clients in one process: `hostile-players.ts ROLE PORT COUNT [CA-FILE]`. Runs until it is killed. */
import { readFileSync } from 'node:fs'
import type { TLSSocket } from 'node:tls'
import { ask } from '../test/simulator/client.ts'
import { TURN } from '../test/support/in-process/local-commands.ts'
import { connectClient, type Peer } from '../test/support/sockets/scripted-peers.ts'
import { sendRecords } from '../test/support/tls/small-records.ts'

/** Pipelines commands that get a local reply, and reads no reply, or all of them. */
export type PipeliningRole = 'silent' | 'reading'

/** Sends TLS records of one byte, beginning at this point of a session. */
export type RecordRole = 'before-greeting' | 'after-auth' | 'after-data'

const COMMANDS = Buffer.from(TURN.repeat(10_000))
const FAR_TOO_LONG_MS = 3_600_000

async function pipelines(port: number, reads: boolean): Promise<void> {
  const client = await connectClient({ port })
  await client.readReply()
  // a Peer would keep all bytes that it reads
  const socket = client.tcp.removeAllListeners('data')
  if (reads) socket.resume()
  else socket.pause()
  const more = () => {
    while (socket.writable && socket.write(COMMANDS));
  }
  // not immediately: a proxy that reads fast would keep this process in one turn of its event loop
  socket.on('drain', () => setImmediate(more))
  more()
}

async function sendsRecords(port: number, role: RecordRole, ca: string): Promise<void> {
  const client = await connectClient({ port, tls: { ca, servername: 'localhost' }, limitMs: FAR_TOO_LONG_MS })
  if (role !== 'before-greeting') await begin(client, role)
  await sendRecords(client.tls as TLSSocket, Number.POSITIVE_INFINITY)
}

/** Plays a session up to a command that the upstream does not answer yet. */
async function begin(client: Peer, role: RecordRole): Promise<void> {
  await client.readReply()
  await ask(client, 'EHLO app.example')
  if (role === 'after-auth') return await client.send('AUTH PLAIN\r\n')
  await ask(client, 'MAIL FROM:<a@example.com>')
  await ask(client, 'RCPT TO:<b@example.net>')
  await client.send('DATA\r\n')
}

const [role, port, count, caFile] = process.argv.slice(2)
for (let started = 0; started < Number(count); started += 1) {
  const playing =
    caFile === undefined
      ? pipelines(Number(port), role === 'reading')
      : sendsRecords(Number(port), role as RecordRole, readFileSync(caFile, 'utf8'))
  playing.catch((error) => console.error(error))
}
