/** SMTP clients for tests. They send line by line, and each function takes a session one step further. */
import { connectClient, type Peer, startTls } from '../support/sockets/scripted-peers.ts'
import { DEFAULT_ACCOUNT, type Simulator } from './simulator.ts'

/** AUTH PLAIN with the default account (RFC 4616). */
export const AUTH_PLAIN = `AUTH PLAIN ${Buffer.from(`\0${DEFAULT_ACCOUNT.user}\0${DEFAULT_ACCOUNT.pass}`).toString('base64')}`

/** Sends one command line and returns the complete reply without its last CRLF. */
export async function ask(client: Peer, command: string): Promise<string> {
  await client.send(`${command}\r\n`)
  return (await client.readReply()).trimEnd()
}

/** A connected client that has read the greeting. */
export async function greeted(simulator: Simulator): Promise<Peer> {
  const client = await connectClient(simulator)
  await client.readReply()
  return client
}

/** A client that has sent EHLO inside TLS. */
export async function secured(simulator: Simulator): Promise<Peer> {
  const client = await greeted(simulator)
  await ask(client, 'EHLO app.example')
  await startTls(client, { ca: simulator.caPem, servername: 'localhost' })
  await ask(client, 'EHLO app.example')
  return client
}

/** A client that has authenticated, so that it can send mail. */
export async function loggedIn(simulator: Simulator): Promise<Peer> {
  const client = await secured(simulator)
  await ask(client, AUTH_PLAIN)
  return client
}

/** A message as command lines. The last line is the body with the final dot. */
export function mail({
  from = 'app@example.com',
  to = 'you@example.net',
  body = 'Subject: hello\r\n\r\nHello.\r\n',
} = {}) {
  return [`MAIL FROM:<${from}>`, `RCPT TO:<${to}>`, 'DATA', `${body}.`]
}

/** Sends a message line by line and returns the reply codes, up to the first refusal. */
export async function send(client: Peer, lines: readonly string[] = mail()): Promise<string> {
  const codes: string[] = []
  for (const line of lines) {
    codes.push((await ask(client, line)).slice(0, 3))
    if (Number(codes.at(-1)) >= 400) break
  }
  return codes.join(' ')
}

/** Sends one message in a new session and returns the reply codes from MAIL on. */
export async function wholeSession(simulator: Simulator): Promise<string> {
  const client = await loggedIn(simulator)
  try {
    return await send(client)
  } finally {
    client.destroy()
  }
}

/** How long something takes, in milliseconds. */
export async function timed(run: () => Promise<unknown>): Promise<number> {
  const start = performance.now()
  await run()
  return performance.now() - start
}
