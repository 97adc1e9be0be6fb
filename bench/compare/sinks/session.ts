/** A server's side of SMTP that accepts every message and stores nothing. Bytes in, replies out. */
import { EndOfData } from './end-of-data.ts'

const LF = 10

const REPLIES: Readonly<Record<string, string>> = {
  MAIL: '250 2.1.0 Ok\r\n',
  RCPT: '250 2.1.5 Ok\r\n',
  DATA: '354 End data with <CR><LF>.<CR><LF>\r\n',
  QUIT: '221 2.0.0 Bye\r\n',
  STAR: '220 2.0.0 Ready to start TLS\r\n',
  RSET: '250 2.0.0 Ok\r\n',
  NOOP: '250 2.0.0 Ok\r\n',
}

export interface SinkEvents {
  reply(text: string): void
  startTls(): void
  quit(): void
}

export class SinkSession {
  readonly #events: SinkEvents
  readonly #ehlo: string
  readonly #end = new EndOfData()
  #inData = false
  #rest = Buffer.alloc(0)

  constructor(events: SinkEvents, offersTls: boolean) {
    this.#events = events
    this.#ehlo = `250-sink.example\r\n250-PIPELINING\r\n250-SIZE 52428800\r\n${offersTls ? '250-STARTTLS\r\n' : ''}250 8BITMIME\r\n`
  }

  /** Takes bytes of the client. All replies to them leave in one write. */
  push(chunk: Buffer): void {
    let replies = ''
    let last = ''
    for (let bytes = chunk; bytes.length > 0; ) {
      const [used, verb] = this.#inData ? this.#data(bytes) : this.#command(bytes)
      bytes = bytes.subarray(used)
      if (verb === '') continue
      last = verb
      replies +=
        verb === 'EHLO'
          ? this.#ehlo
          : verb === '.'
            ? '250 2.0.0 Ok: queued as 1234567890\r\n'
            : (REPLIES[verb] ?? '250 Ok\r\n')
    }
    if (replies !== '') this.#events.reply(replies)
    if (last === 'STAR') this.#events.startTls()
    if (last === 'QUIT') this.#events.quit()
  }

  /** Bytes used, and `.` at the end of a message. */
  #data(bytes: Buffer): readonly [number, string] {
    const length = this.#end.find(bytes)
    if (length === -1) return [bytes.length, '']
    this.#inData = false
    return [length, '.']
  }

  /** Bytes used, and the first four letters of a whole command. */
  #command(bytes: Buffer): readonly [number, string] {
    const end = bytes.indexOf(LF)
    if (end === -1) {
      this.#rest = Buffer.concat([this.#rest, bytes])
      return [bytes.length, '']
    }
    const line = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes.subarray(0, end)])
    this.#rest = Buffer.alloc(0)
    const verb = line.toString('latin1', 0, 4).toUpperCase()
    this.#inData = verb === 'DATA'
    return [end + 1, verb]
  }
}
