/** A dialogue with an SMTP server as its client: commands, replies, and a record of both without secrets. */
import type { Socket } from 'node:net'
import { type Reply, ReplyReader } from '../../proxy/smtp/reply.ts'

/** A reply, printable. */
export interface Answer {
  readonly code: number
  readonly lines: readonly string[]
  /** The text of the last line, after the code. */
  readonly text: string
}

/** Why there is no reply. */
export type NoAnswerReason = 'closed' | 'timeout' | 'too_long'

const SENTENCES: Readonly<Record<NoAnswerReason, string>> = {
  closed: 'the server closed the connection',
  timeout: 'the server did not reply in time',
  too_long: 'the reply of the server is too long',
}

/** The server closed the connection, did not reply in time, or sent too much. */
export class NoAnswer extends Error {
  readonly reason: NoAnswerReason

  constructor(reason: NoAnswerReason) {
    super(SENTENCES[reason])
    this.reason = reason
  }
}

export interface ConversationOptions {
  readonly timeoutMs: number
  readonly redact: (text: string) => string
}

/** A dialogue over a connection. One command at a time. */
export class Conversation {
  /** Commands begin with `> `, replies with `< `. */
  readonly record: string[] = []
  readonly #socket: Socket
  readonly #options: ConversationOptions
  readonly #reader = new ReplyReader()
  /** Replies that nothing has waited for yet. */
  readonly #ready: Reply[] = []
  #settle: ((result: Reply | NoAnswer) => void) | undefined
  #ended: NoAnswer | undefined

  /** `greeting`: the reply that was read before. Without it, `greeting()` must be the first call. */
  constructor(
    { socket, greeting }: { readonly socket: Socket; readonly greeting?: Reply },
    options: ConversationOptions,
  ) {
    this.#socket = socket
    this.#options = options
    if (greeting) this.#answered(greeting)
    socket.on('data', this.#data).on('error', () => {})
    socket.once('close', this.#closed).once('end', this.#closed)
    socket.resume()
  }

  /** Waits for the greeting. */
  greeting(): Promise<Answer> {
    return this.#next()
  }

  /** Sends text that ends in CRLF and waits for the reply. The record has `shown` in its place. */
  async send(text: string, shown = text.trimEnd()): Promise<Answer> {
    if (this.#ended) throw this.#ended
    this.record.push(`> ${this.#options.redact(shown)}`)
    const answer = this.#next()
    this.#socket.write(text)
    return answer
  }

  /** Sends QUIT without waiting for the reply. */
  close(): void {
    this.#socket.end('QUIT\r\n')
    this.#socket.destroySoon()
  }

  /** Ends the dialogue without closing the connection. Returns false if bytes arrived after the last reply. */
  detach(): boolean {
    this.#socket.off('data', this.#data).off('close', this.#closed).off('end', this.#closed)
    this.#socket.pause()
    return this.#ready.length === 0 && this.#reader.unfinished === 0
  }

  async #next(): Promise<Answer> {
    const ready = this.#ready.shift()
    if (ready) return this.#answered(ready)
    if (this.#ended) throw this.#ended
    const result = Promise.withResolvers<Reply | NoAnswer>()
    this.#settle = result.resolve
    const timer = setTimeout(() => this.#end('timeout'), this.#options.timeoutMs)
    const reply = await result.promise
    clearTimeout(timer)
    if (reply instanceof NoAnswer) throw reply
    return this.#answered(reply)
  }

  #answered({ code, bytes }: Reply): Answer {
    const lines = printable(bytes).map(this.#options.redact)
    this.record.push(...lines.map((line) => `< ${line}`))
    return { code, lines, text: lines.at(-1)?.slice(4) ?? '' }
  }

  readonly #data = (chunk: Buffer): void => {
    const isBounded = this.#reader.push(chunk, (reply) => {
      const settle = this.#settle
      this.#settle = undefined
      if (settle) settle(reply)
      else this.#ready.push(reply)
    })
    if (!isBounded) this.#end('too_long')
  }

  readonly #closed = (): void => this.#end('closed')

  #end(reason: NoAnswerReason): void {
    this.#ended ??= new NoAnswer(reason)
    this.#settle?.(this.#ended)
    this.#settle = undefined
  }
}

/** Replaces control characters, because the server's text may contain escape sequences for the terminal. */
function printable(reply: Buffer): string[] {
  return reply
    .toString('latin1')
    .trimEnd()
    .split(/\r?\n/)
    .map((line) => line.replace(/[^\x20-\x7e]/g, '?'))
}

/** EHLO. Inside TLS, the server has forgotten the one before it. The record keeps the capabilities. */
export function ehlo(conversation: Conversation): Promise<Answer> {
  return conversation.send('EHLO [127.0.0.1]\r\n')
}
