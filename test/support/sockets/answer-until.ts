import type { Peer } from './scripted-peers.ts'

/** Accepts every command of any client until one matches `command`. The matching command is not answered. */
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
