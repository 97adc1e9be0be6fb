/** A scripted upstream that serves any client up to the command that a test is about. */
import type { Peer } from './scripted-peers.ts'

/** Answers every command with success until one arrives that `command` matches; that one has no reply yet. */
export async function answerUntil(upstream: Peer, command: RegExp): Promise<void> {
  for (;;) {
    const line = await upstream.readLine()
    if (command.test(line)) return
    await upstream.send(answerTo(line))
  }
}

function answerTo(line: string): string {
  if (/^EHLO/i.test(line)) return '250-mail.example\r\n250-8BITMIME\r\n250 AUTH PLAIN\r\n'
  if (/^(MAIL|RCPT)/i.test(line)) return '250 ok\r\n'
  // credentials follow AUTH on its line or on the next one
  return /^AUTH PLAIN\r\n/i.test(line) ? '334 \r\n' : '235 welcome\r\n'
}
