/** The messages that the load generator sends. */

const LINE = `${'The quick brown fox jumps over the lazy dog. '.repeat(2).slice(0, 76)}\r\n`

/** A message of about this many bytes: a header, then lines of 78 bytes. It needs no dot-stuffing. */
function bodyOf(bytes: number): string {
  const header = 'From: <a@example.com>\r\nTo: <b@example.net>\r\nSubject: load\r\n\r\n'
  return header + LINE.repeat(Math.max(1, Math.round((bytes - header.length) / LINE.length)))
}

/** What the client writes for each message. */
export interface Message {
  /** MAIL, RCPT and DATA, one at a time. */
  readonly commands: readonly Buffer[]
  /** The message with its final dot. */
  readonly body: Buffer
  /** MAIL, RCPT and DATA in one write. */
  readonly pipelined: Buffer
  /** The message with its final dot, then MAIL, RCPT and DATA of the next one. */
  readonly bodyAndNext: Buffer
}

export function messageOf(bytes: number): Message {
  const commands = ['MAIL FROM:<a@example.com>\r\n', 'RCPT TO:<b@example.net>\r\n', 'DATA\r\n'].map((line) =>
    Buffer.from(line),
  )
  const body = Buffer.from(`${bodyOf(bytes)}.\r\n`)
  const pipelined = Buffer.concat(commands)
  return { commands, body, pipelined, bodyAndNext: Buffer.concat([body, pipelined]) }
}
