/** What AhaSend means by its replies (https://ahasend.com/docs/smtp). The texts are those of KumoMTA, which it resembles. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { causeOf } from '../../../proxy/dialogue/reply-cause.ts'
import type { CommandName, ReplyCause } from '../../../proxy/events/closed-sets.ts'
import { enhancedCodeOf } from '../../../proxy/smtp/reply.ts'

interface Case {
  /** Code and text, as on the wire. */
  readonly reply: string
  readonly command: CommandName
  readonly quietMs?: number
  readonly cause: ReplyCause
}

const CASES: readonly Case[] = [
  // the meanings of 421: the phrase decides, otherwise the moment
  { reply: '421 4.3.2 mail.example idle too long', command: 'UNSOLICITED', cause: 'idle_timeout' },
  { reply: '421 4.3.2 mail.example idle too long', command: 'MAIL', cause: 'idle_timeout' },
  { reply: '421 4.3.2 mail.example load shedding. Try later', command: 'CONNECT', cause: 'load_shedding' },
  { reply: '421 4.3.2 mail.example load shedding. Try later', command: 'MAIL', cause: 'load_shedding' },
  { reply: '421 4.3.2 mail.example disk is too full', command: 'CONNECT', cause: 'load_shedding' },
  { reply: '421 4.3.2 mail.example spool is not accepting writes', command: 'CONNECT', cause: 'load_shedding' },
  { reply: '421 4.3.2 mail.example waiting for spool startup', command: 'CONNECT', cause: 'load_shedding' },
  { reply: '421 4.3.2 mail.example shutting down', command: 'CONNECT', cause: 'shutting_down' },
  { reply: '421 4.3.2 mail.example shutting down', command: 'UNSOLICITED', cause: 'shutting_down' },
  { reply: '421 4.3.2 MAIL.EXAMPLE SHUTTING DOWN', command: 'RCPT', cause: 'shutting_down' },
  { reply: '421 4.3.0 mail.example technical difficulties', command: 'END-OF-MESSAGE', cause: 'internal_error' },
  { reply: '421 4.3.0 mail.example technical difficulties', command: 'CONNECT', cause: 'internal_error' },
  { reply: '421 4.3.0 mail.example technical difficulties', command: 'UNSOLICITED', cause: 'internal_error' },
  {
    reply: '421 4.5.3 mail.example too many recipients on this connection',
    command: 'RCPT',
    cause: 'connection_limit',
  },
  { reply: '421 4.7.0 mail.example too many connections from you', command: 'CONNECT', cause: 'connection_limit' },
  { reply: '250 PARTIAL ids=0123', command: 'END-OF-MESSAGE', cause: 'partially_queued' },
  { reply: '250 PARTIAL ids=0123', command: 'MAIL', cause: 'none' },
  { reply: '421 busy', command: 'CONNECT', cause: 'load_shedding' },
  { reply: '421 mail.example disconnecting due to previous error', command: 'UNSOLICITED', cause: 'internal_error' },
  { reply: '421 bye', command: 'UNSOLICITED', cause: 'internal_error' },
  { reply: '421 bye', command: 'UNSOLICITED', quietMs: 54_999, cause: 'internal_error' },
  { reply: '421 bye', command: 'UNSOLICITED', quietMs: 55_000, cause: 'idle_timeout' },
  // AhaSend's phrase needs no quiet time: its clock may run faster than the proxy's
  { reply: '421 4.3.2 mail.example idle too long', command: 'UNSOLICITED', quietMs: 10, cause: 'idle_timeout' },
  { reply: '421 bye', command: 'NOOP', quietMs: 54_999, cause: 'internal_error' },
  { reply: '421 bye', command: 'NOOP', quietMs: 55_000, cause: 'idle_timeout' },
  { reply: '421 bye', command: 'DATA', quietMs: 61_000, cause: 'idle_timeout' },
  { reply: '421', command: 'MAIL', cause: 'internal_error' },
  // AhaSend's own meanings
  { reply: '451 4.4.5 data_processing_timeout exceeded', command: 'END-OF-MESSAGE', cause: 'internal_error' },
  { reply: '451 try again', command: 'MAIL', cause: 'internal_error' },
  {
    reply: '451 4.3.0 Unsubscribe link is not available. Try again later.',
    command: 'END-OF-MESSAGE',
    cause: 'unsubscribe_link',
  },
  { reply: '451 4.3.0 UNSUBSCRIBE LINK is late', command: 'DATA', cause: 'unsubscribe_link' },
  { reply: '550 Unsubscribe link', command: 'END-OF-MESSAGE', cause: 'none' },
  { reply: '500 invalid credentials', command: 'AUTH', cause: 'invalid_credentials' },
  { reply: '535 5.7.8 AUTH invalid', command: 'AUTH', cause: 'invalid_credentials' },
  { reply: '500 5.2.3 line too long', command: 'OTHER', cause: 'none' },
  { reply: '500 syntax error', command: 'MAIL', cause: 'none' },
  { reply: '535 x', command: 'MAIL', cause: 'none' },
  ...(['AUTH', 'CONNECT', 'MAIL', 'RCPT', 'END-OF-MESSAGE'] as const).flatMap((command): Case[] => [
    { reply: '521 account suspended', command, cause: 'account_disabled' },
    { reply: '521 account is paused', command, cause: 'account_disabled' },
  ]),
  {
    reply: '552 5.6.0 message data must use CRLF for line endings',
    command: 'END-OF-MESSAGE',
    cause: 'message_format',
  },
  { reply: '552 invalid message format', command: 'END-OF-MESSAGE', cause: 'message_format' },
  { reply: '552 5.6.0 message has no From header', command: 'END-OF-MESSAGE', cause: 'message_format' },
  { reply: '552 5.3.4 message too big', command: 'END-OF-MESSAGE', cause: 'message_too_big' },
  { reply: '552 5.3.4 no', command: 'MAIL', cause: 'message_too_big' },
  { reply: '552 Message Too Big', command: 'DATA', cause: 'message_too_big' },
  {
    reply: '553 Requested action not taken: recipient domain is toxic or tempmail',
    command: 'RCPT',
    cause: 'recipient_rejected',
  },
  { reply: '556 domain not configured', command: 'MAIL', cause: 'domain_not_configured' },
  { reply: '452 4.5.3 too many recipients', command: 'RCPT', cause: 'too_many_recipients' },
  { reply: '452 4.5.3 no more', command: 'RCPT', cause: 'too_many_recipients' },
  { reply: '452 Too many recipients', command: 'RCPT', cause: 'too_many_recipients' },
  { reply: '452 4.5.3 too many recipients on this connection', command: 'RCPT', cause: 'connection_limit' },
  { reply: '452 4.3.1 insufficient storage', command: 'MAIL', cause: 'none' },
  // codes that say everything
  ...['220', '235', '250', '334', '354', '454', '501', '502', '503', '504', '530', '550', '554', '000'].map(
    (code): Case => ({ reply: `${code} x`, command: 'MAIL', cause: 'none' }),
  ),
]

describe('The cause of a reply', () => {
  for (const { reply, command, quietMs = 0, cause } of CASES) {
    const after = quietMs > 0 ? ` after ${quietMs / 1000} s of quiet` : ''
    test(`${reply} (${command}${after}): ${cause}`, () => {
      const code = Number(reply.slice(0, 3))
      const text = reply.slice(4)
      assert.equal(causeOf(code, { command, quietMs, text, enhancedCode: enhancedCodeOf(code, text) }), cause)
    })
  }
})
