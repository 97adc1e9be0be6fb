/** Attempts of a normal app while other clients attack the proxy: whether they succeed, and how long they take. */
import { ask, mail, send } from '../test/simulator/client.ts'
import { connectClient } from '../test/support/sockets/scripted-peers.ts'

/** One attempt. */
export interface Timed {
  readonly ok: boolean
  readonly ms: number
}

/** Sends one message on a new connection. Returns whether it was accepted. */
export async function sendMessage(port: number): Promise<boolean> {
  const client = await connectClient({ port, limitMs: 20_000 })
  try {
    if (!(await client.readReply()).startsWith('220')) return false
    await ask(client, 'EHLO app.example')
    return (await send(client, mail())).endsWith('250')
  } finally {
    client.destroy()
  }
}

/** Runs an attempt. It fails when it rejects or resolves with false. */
export async function timed(attempt: () => Promise<unknown>): Promise<Timed> {
  const began = performance.now()
  const ok = await attempt().then(
    (result) => result !== false,
    () => false,
  )
  return { ok, ms: performance.now() - began }
}

interface Figures {
  readonly failed: number
  /** In milliseconds, like the others; 0 without an attempt. */
  readonly p50: number
  readonly p99: number
  readonly max: number
  /** All figures as text. */
  readonly text: string
}

/** The failures and times of these attempts. */
export function figuresOf(attempts: readonly Timed[]): Figures {
  const times = attempts.map(({ ms }) => ms).sort((one, other) => one - other)
  const at = (q: number) => times[Math.floor((times.length - 1) * q)] ?? 0
  const [p50, p99, max] = [at(0.5), at(0.99), at(1)]
  const failed = attempts.filter(({ ok }) => !ok).length
  const [half, most, all] = [p50, p99, max].map((ms) => ms.toFixed(0))
  return { failed, p50, p99, max, text: `${failed} of ${times.length} failed; p50 ${half}, p99 ${most}, max ${all} ms` }
}
