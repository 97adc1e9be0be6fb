/** What a session came to, told from its events in a few words. */
import assert from 'node:assert/strict'
import type { SessionEvent } from '../../../proxy/events/session-event.ts'
import type { StagedSession } from './stage.ts'

/** The end of the mail, and what was lost of its reply; empty when there was no mail. */
export function mailOf(events: readonly SessionEvent[]): string {
  return events.flatMap(wordsOfMail).join(' ')
}

function wordsOfMail(event: SessionEvent): (string | number)[] {
  switch (event.type) {
    case 'tx-commit':
      return [event.type, event.outcome, event.reply!.code]
    case 'tx-rollback':
      return [event.type, event.outcome, event.error!, event.command!]
    case 'tx-reset':
      return [event.type, event.outcome]
    case 'tx-lost':
      return [event.type, event.stage, event.outcome, event.error!]
    case 'reply-lost':
      return [event.loss, event.command]
    default:
      return []
  }
}

/** Who ended the session, and why. Fails when it was told more than once. */
export function closeOf(events: readonly SessionEvent[]): string {
  const closes = events.filter((event) => event.type === 'session-close')
  assert.equal(closes.length, 1)
  assert.equal(events.at(-1), closes[0], 'nothing behind it')
  return `${closes[0]!.by} ${closes[0]!.reason}`
}

/** Drops both ends and waits until the proxy has forgotten the session; returns its events. */
export async function drop({ client, upstream, events }: StagedSession): Promise<readonly SessionEvent[]> {
  client.destroy()
  upstream.destroy()
  return await events()
}
