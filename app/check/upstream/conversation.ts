/** A dialogue with an upstream: commands, replies, and a record of both without secrets. */
import { type Reply, ReplyReader } from '../../../proxy/smtp/reply.ts'
import type { DialledUpstream } from '../../../proxy/upstream/dialer.ts'

/** A reply, printable. */
export interface Answer {
  readonly code: number
  readonly lines: readonly string[]
  /** The text of the last line, after the code. */
  readonly text: string
}

/** The upstream closed the connection, or did not reply in time. */
export class NoAnswer extends Error {}

export interface ConversationOptions {
  readonly timeoutMs: number
  readonly redact: (text: string) => string
}

/** A dialogue over a connection that has greeted. One command at a time. */
export class Conversation {
  /** Commands begin with `> `, replies with `< `. */
  readonly record: string[] = []
  readonly #socket: DialledUpstream['socket']
  readonly #options: ConversationOptions
  readonly #reader = new ReplyReader()
  #settle: ((result: Reply | NoAnswer) => void) | undefined
  #ended: NoAnswer | undefined

  constructor({ socket, greeting }: DialledUpstream, options: ConversationOptions) {
    this.#socket = socket
    this.#options = options
    this.#answered(greeting)
    socket.on('data', this.#data).on('error', () => {})
    socket.once('close', () => this.#end('the server closed the connection'))
    socket.resume()
  }

  /** Sends text that ends in CRLF and waits for the reply. The record has `shown` in its place. */
  async send(text: string, shown = text.trimEnd()): Promise<Answer> {
    if (this.#ended) throw this.#ended
    this.record.push(`> ${this.#options.redact(shown)}`)
    const result = Promise.withResolvers<Reply | NoAnswer>()
    this.#settle = result.resolve
    const timer = setTimeout(() => this.#end('the server did not reply in time'), this.#options.timeoutMs)
    this.#socket.write(text)
    const reply = await result.promise
    clearTimeout(timer)
    if (reply instanceof NoAnswer) throw reply
    return this.#answered(reply)
  }

  /** Sends QUIT without waiting for the reply. */
  close(): void {
    this.#socket.end('QUIT\r\n')
    this.#socket.destroySoon()
  }

  #answered({ code, bytes }: Reply): Answer {
    const lines = printable(bytes).map(this.#options.redact)
    this.record.push(...lines.map((line) => `< ${line}`))
    return { code, lines, text: lines.at(-1)?.slice(4) ?? '' }
  }

  readonly #data = (chunk: Buffer): void => {
    const isBounded = this.#reader.push(chunk, (reply) => {
      this.#settle?.(reply)
      this.#settle = undefined
    })
    if (!isBounded) this.#end('the reply of the server is too long')
  }

  #end(reason: string): void {
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

/** EHLO inside TLS: the upstream has forgotten the one before it. The record keeps the capabilities. */
export function ehlo(conversation: Conversation): Promise<Answer> {
  return conversation.send('EHLO [127.0.0.1]\r\n')
}
