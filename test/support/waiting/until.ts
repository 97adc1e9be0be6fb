import { setTimeout as pause } from 'node:timers/promises'

export interface Polling {
  /** How long to wait, in milliseconds. Default 20 s: long on a busy machine. */
  readonly limitMs?: number
  /** The time between two looks, in milliseconds. Default 5. */
  readonly everyMs?: number
}

/**
 * Asks `look` again and again, and resolves with its first answer that is neither undefined nor false. Rejects after
 * the limit, with `what` that was waited for.
 */
export async function until<Answer>(
  what: string | (() => string),
  look: () => Answer | Promise<Answer>,
  { limitMs = 20_000, everyMs = 5 }: Polling = {},
): Promise<Exclude<Answer, undefined | false>> {
  const deadline = performance.now() + limitMs
  for (;;) {
    const answer = await look()
    if (answer !== undefined && answer !== false) return answer as Exclude<Answer, undefined | false>
    if (performance.now() > deadline)
      throw new Error(`not within ${limitMs} ms: ${typeof what === 'string' ? what : what()}`)
    await pause(everyMs)
  }
}
