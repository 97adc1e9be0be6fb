/** Logs in at an upstream and sends a test message, inside TLS only. */
import { randomUUID } from 'node:crypto'
import type { CommandName } from '../../../proxy/events/closed-sets.ts'
import { authority } from '../../../proxy/settings/addresses.ts'
import type { UpstreamAddress } from '../../../proxy/settings/config.ts'
import type { Dialer, DialResult } from '../../../proxy/upstream/dialer.ts'
import { authenticate } from '../../conversation/authentication.ts'
import { type Answer, Conversation, ehlo, NoAnswer } from '../../conversation/conversation.ts'
import { type Login, redactor } from '../../conversation/login.ts'
import { HELP } from '../steps/help.ts'
import { failed, note, type Outcome, ok, type Step } from '../steps/step.ts'
import { dialFailure, noAnswer, refusal } from './replies.ts'

/** An upstream, and how it is dialled. */
export interface Route {
  readonly dialer: Dialer
  readonly server: UpstreamAddress
  readonly timeoutMs: number
}

/** A test message. */
export interface TestMessage {
  readonly to: string
  readonly from: string
  /** True if AhaSend delivers it, because it lacks `AhaSend-Sandbox: true`. */
  readonly real: boolean
}

/** Checks a login. `reached` holds the upstreams (`host:port`) that an earlier step reached. */
export function loginStep(route: Route, login: Login, reached: ReadonlySet<string>): Step {
  const run = (signal: AbortSignal) => {
    if (!reached.has(authority(route.server))) return note(UNREACHED)
    return converse({ routes: [route], login, signal }, () => undefined)
  }
  return { group: 'Login', title: `login at ${authority(route.server)}`, run }
}

/**
 * Sends a message through the first upstream that can be reached, as the proxy does, after a login if there is one, and shows
 * the dialogue.
 */
export function messageStep(
  routes: readonly Route[],
  login: Login | undefined,
  message: TestMessage,
  reached: ReadonlySet<string>,
): Step {
  const run = async (signal: AbortSignal) => {
    if (reached.size === 0) return note(UNREACHED)
    return converse({ routes, login, signal, isShown: true }, (conversation) => transact(conversation, message))
  }
  return { group: 'Test message', title: message.real ? 'real message' : 'sandbox message', run }
}

const UNREACHED = 'not tested, because the upstream cannot be used (see above)'

interface Talk {
  readonly routes: readonly Route[]
  readonly login: Login | undefined
  readonly signal: AbortSignal
  /** True adds the dialogue to the outcome. */
  readonly isShown?: true
}

/** Returns a refusal, a success, or nothing. */
type Continue = (conversation: Conversation) => Promise<Outcome> | undefined

/** Dials, logs in, and continues with `then`. */
async function converse({ routes, login, signal, isShown }: Talk, then: Continue): Promise<Outcome> {
  const { dial, connection, timeoutMs } = await dialFirst(routes, signal)
  if (!connection || connection.refused) {
    connection?.socket.destroy()
    return dialFailure(dial)
  }
  const conversation = new Conversation(connection, { timeoutMs, redact: redactor(login) })
  const isSecret = login !== undefined && !connection.server.tls
  const outcome = isSecret ? UNENCRYPTED : await outcomeOf(conversation, login, then)
  conversation.close()
  return isShown ? { ...outcome, details: conversation.record } : outcome
}

/** The first upstream that can be reached and does not greet with 421; otherwise the last one. */
async function dialFirst(routes: readonly Route[], signal: AbortSignal): Promise<DialResult & { timeoutMs: number }> {
  const [route, ...others] = routes
  if (!route) throw new Error('there is no upstream')
  const result = await route.dialer.dial(route.server, route.timeoutMs, signal)
  const isUsable = result.connection && result.connection.greeting.code !== 421
  if (isUsable || others.length === 0) return { ...result, timeoutMs: route.timeoutMs }
  result.connection?.socket.destroy()
  return dialFirst(others, signal)
}

const UNENCRYPTED = failed('the connection to this upstream is unencrypted (?tls=off), so no password is sent', {
  next: 'Check the login at an upstream with TLS.',
  see: HELP.settings,
})

async function outcomeOf(conversation: Conversation, login: Login | undefined, then: Continue): Promise<Outcome> {
  try {
    const hello = await ehlo(conversation)
    if (hello.code !== 250) return refusal('EHLO', hello.code, hello.text)
    const refused = login ? await logIn(conversation, hello, login) : undefined
    return refused ?? (await then(conversation)) ?? ok('the user name and the password are accepted')
  } catch (error) {
    if (!(error instanceof NoAnswer)) throw error
    return noAnswer(error.message)
  }
}

/** Returns the refusal, or nothing. */
async function logIn(conversation: Conversation, hello: Answer, login: Login): Promise<Outcome | undefined> {
  const answer = await authenticate(conversation, hello, login)
  if (!answer) {
    return failed('the server offers neither AUTH PLAIN nor AUTH LOGIN', {
      next: "Check that PROXY_UPSTREAM names AhaSend's server.",
      see: HELP.other,
    })
  }
  if (answer.code === 235) return undefined
  const { text, ...help } = refusal('AUTH', answer.code, answer.text)
  return failed(text, { ...help, details: [answer.lines.at(-1) ?? ''] })
}

async function transact(conversation: Conversation, message: TestMessage): Promise<Outcome> {
  const text = textOf(message)
  const commands: readonly (readonly [CommandName, expected: number, text: string, shown: string])[] = [
    ['MAIL', 250, `MAIL FROM:<${message.from}>`, `MAIL FROM:<${message.from}>`],
    ['RCPT', 250, `RCPT TO:<${message.to}>`, `RCPT TO:<${message.to}>`],
    ['DATA', 354, 'DATA', 'DATA'],
    ['END-OF-MESSAGE', 250, `${text}\r\n.`, `(message of ${text.length} bytes)`],
  ]
  let last = ''
  for (const [command, expected, line, shown] of commands) {
    const answer = await conversation.send(`${line}\r\n`, shown)
    if (answer.code !== expected) return refusal(command, answer.code, answer.text)
    last = answer.text
  }
  return ok(`accepted: ${last}`)
}

/** A message in ASCII with CRLF, without the final dot. No line begins with a dot. */
function textOf({ to, from, real }: TestMessage): string {
  return [
    `From: ${from}`,
    `To: ${to}`,
    'Subject: Test message of ahasend-smtp-proxy',
    `Date: ${new Date().toUTCString().replace('GMT', '+0000')}`,
    `Message-ID: <${randomUUID()}@${from.slice(from.indexOf('@') + 1)}>`,
    ...(real ? [] : ['AhaSend-Sandbox: true']),
    'MIME-Version: 1.0',
    'Content-Type: text/plain; charset=us-ascii',
    '',
    'The check command of ahasend-smtp-proxy sent this message.',
  ].join('\r\n')
}
