/** Summarizes the end of a session from its events. */
import assert from 'node:assert/strict'
import type { SessionEvent } from '../../../proxy/events/session-event.ts'
import type { StagedSession } from './stage.ts'

/** How the message ended, and which replies were lost. Empty when there was no message. */
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

/** Which side closed the session, and why. Fails unless the session closed exactly once. */
export function closeOf(events: readonly SessionEvent[]): string {
  const closes = events.filter((event) => event.type === 'session-close')
  assert.equal(closes.length, 1)
  assert.equal(events.at(-1), closes[0], 'session-close is the last event')
  return `${closes[0]!.by} ${closes[0]!.reason}`
}

/** Closes both ends, waits until the proxy has ended the session, and returns its events. */
export async function drop({ client, upstream, events }: StagedSession): Promise<readonly SessionEvent[]> {
  client.destroy()
  upstream.destroy()
  return await events()
}
