/**
 * The states that a message passes through, as a script that stops where a test wants to break something. Afterwards
 * the test compares the bytes that each side sent and received with the laws of docs/test-cases.md (L1 to L6).
 */
import assert from 'node:assert/strict'
import { type Peer, playPreamble } from '../sockets/scripted-peers.ts'
import { LOCAL_REPLIES } from './local-replies.ts'
import type { Stage, StagedSession } from './stage.ts'

const GREETING = '220 mail.example ESMTP\r\n'

/** One command or part of a body, and the upstream's reply. */
interface Exchange {
  readonly said: string
  readonly answer: string
}

/** One message, in the order in which it is sent. */
export const MAIL = [
  { said: 'EHLO app.example\r\n', answer: '250-mail.example\r\n250 PIPELINING\r\n' },
  { said: 'MAIL FROM:<a@example.com>\r\n', answer: '250 2.1.0 ok\r\n' },
  { said: 'RCPT TO:<b@example.net>\r\n', answer: '250 2.1.5 ok\r\n' },
  { said: 'DATA\r\n', answer: '354 go ahead\r\n' },
  { said: 'Subject: hello\r\n\r\nHello.\r\n', answer: '' },
  { said: '.\r\n', answer: '250 2.0.0 r-000123\r\n' },
] as const satisfies readonly Exchange[]

/** The number of completed exchanges, and whether the next command is sent and not answered. */
interface Point {
  readonly over: number
  readonly asked?: true
}

/** The states in which a session can break. */
export const STATES = {
  greeted: { over: 0 },
  'EHLO unanswered': { over: 0, asked: true },
  'between mails': { over: 1 },
  'MAIL unanswered': { over: 1, asked: true },
  'in the envelope': { over: 3 },
  'DATA unanswered': { over: 3, asked: true },
  'in the body': { over: 5 },
  'dot unanswered': { over: 5, asked: true },
  'mail accepted': { over: 6 },
} as const satisfies Record<string, Point>

export type State = keyof typeof STATES

export const ALL_STATES = Object.keys(STATES) as State[]

/** Begins a session and plays it up to a state. */
export async function sessionAt(state: State, stage: Stage): Promise<StagedSession> {
  const session = await stage.connect()
  await bringTo(state, session)
  return session
}

/** Plays the greeting, the preamble and the script up to a state. */
async function bringTo(state: State, session: StagedSession): Promise<void> {
  await playPreamble(session.upstream, { identity: session.identity, greeting: GREETING })
  await read(session.client, GREETING)
  const { over, asked }: Point = STATES[state]
  for (const { said, answer } of MAIL.slice(0, over)) {
    await ask(session, said)
    await session.upstream.send(answer)
    await read(session.client, answer)
  }
  if (asked) await ask(session, MAIL[over]!.said)
}

/** Sends the next part of the script, which must arrive unchanged. */
async function ask({ client, upstream }: StagedSession, said: string): Promise<void> {
  await client.send(said)
  await read(upstream, said)
}

async function read(peer: Peer, text: string): Promise<void> {
  assert.equal((await peer.readBytes(text.length)).toString('latin1'), text)
}

/** Everything that the client has sent up to a state. */
export function sentUpTo(state: State): string {
  const { over, asked }: Point = STATES[state]
  const exchanges: readonly Exchange[] = MAIL.slice(0, asked ? over + 1 : over)
  return exchanges.map(({ said }) => said).join('')
}

/** Everything that the upstream has sent up to a state, including its greeting. */
export function answeredUpTo(state: State): string {
  const exchanges: readonly Exchange[] = MAIL.slice(0, STATES[state].over)
  return GREETING + exchanges.map(({ answer }) => answer).join('')
}

/** All bytes that each side sent: `sentUpTo` and `answeredUpTo`, and what the test sent after that. */
interface Sent {
  readonly client: string
  readonly upstream: string
}

/**
 * Asserts the laws that one session can break. The upstream received only bytes that the client sent (L4, L5), each at
 * most once (L3). The client read only complete replies that the upstream sent, in their order (L1, L6). The exception
 * is one local reply at the end, which must be a 4yz and must not answer a final dot.
 */
export function assertLaws({ client, upstream }: Pick<StagedSession, 'client' | 'upstream'>, sent: Sent): void {
  const wentUp = upstream.log.all.toString('latin1')
  assert.ok(
    sent.client.startsWith(wentUp),
    `the upstream received what the client did not send: ${JSON.stringify(wentUp)}`,
  )
  const cameDown = client.log.all.toString('latin1')
  const replies = repliesOf(cameDown)
  const relayed = isLocalReply(replies.at(-1)) ? replies.slice(0, -1) : replies
  assert.ok(
    sent.upstream.startsWith(relayed.join('')),
    `the client read what the upstream did not send: ${JSON.stringify(cameDown)}`,
  )
  assert.equal(replies.join(''), cameDown, 'complete replies only')
  const unanswered = wentUp.endsWith('\r\n.\r\n') && relayed.at(-1) !== MAIL.at(-1)?.answer
  assert.ok(relayed.length === replies.length || !unanswered, 'no local reply to a final dot')
}

function repliesOf(text: string): string[] {
  return text.match(/(?:\d{3}-[^\n]*\n)*\d{3} [^\n]*\n/g) ?? []
}

function isLocalReply(reply: string | undefined): boolean {
  return Object.values(LOCAL_REPLIES).some(({ bytes, code }) => code === 421 && bytes.toString() === reply)
}
