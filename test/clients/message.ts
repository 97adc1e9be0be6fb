import { createHash } from 'node:crypto'

const BOUNDARY = 'b1-prepared-message'

/** 256 KiB: many TLS records and several socket buffers, so that the proxy relays the message in many pieces. */
const ATTACHMENT_BYTES = 256 * 1024

/** Random-looking bytes that are the same each time. */
function attachment(): Buffer {
  const blocks: Buffer[] = []
  for (let n = 0; n * 32 < ATTACHMENT_BYTES; n += 1) blocks.push(createHash('sha256').update(`block ${n}`).digest())
  return Buffer.concat(blocks)
}

/**
 * A constant RFC 5322 message with an attachment. It has a Date and a Message-ID, so that no client adds one. It has
 * 8-bit text (RFC 6152), and lines that begin with dots, which a client must stuff (RFC 5321 section 4.5.2). All lines
 * end in CRLF; none is longer than 78 bytes.
 */
export function preparedMessage(from: string, to: string): Buffer {
  const lines = [
    `From: Billing <${from}>`,
    `To: <${to}>`,
    'Subject: Invoice 2041',
    'Date: Mon, 05 Jan 2026 09:30:00 +0000',
    `Message-ID: <invoice-2041@${from.replace(/.*@/, '')}>`,
    'MIME-Version: 1.0',
    `Content-Type: multipart/mixed; boundary="${BOUNDARY}"`,
    '',
    `--${BOUNDARY}`,
    'Content-Type: text/plain; charset=utf-8',
    'Content-Transfer-Encoding: 8bit',
    '',
    'Grüße aus München, a line with two bytes per character.',
    '.',
    '..',
    '.hidden begins with a dot',
    '',
    `--${BOUNDARY}`,
    'Content-Type: application/octet-stream; name="invoice.bin"',
    'Content-Disposition: attachment; filename="invoice.bin"',
    'Content-Transfer-Encoding: base64',
    '',
    ...(attachment()
      .toString('base64')
      .match(/.{1,76}/g) ?? []),
    `--${BOUNDARY}--`,
    '',
  ]
  return Buffer.from(lines.join('\r\n'))
}

/**
 * A message as it is sent between the 354 and the final dot: every line that begins with a dot has one more (RFC 5321
 * section 4.5.2), and `addedLines` empty lines follow.
 */
export function bodyOnTheWire(message: Buffer, addedLines: number): Buffer {
  const stuffed = message.toString('latin1').replace(/^\./gm, '..')
  return Buffer.from(stuffed + '\r\n'.repeat(addedLines), 'latin1')
}
