/** An app that is served while others harm the proxy: whether its attempts succeed, and how long they take. */
import { ask, mail, send } from '../test/simulator/client.ts'
import { connectClient } from '../test/support/sockets/scripted-peers.ts'

/** One attempt. */
export interface Timed {
  readonly ok: boolean
  readonly ms: number
}

/** One message on a connection of its own. Returns whether it was accepted. */
export async function oneMail(port: number): Promise<boolean> {
  const client = await connectClient({ port, limitMs: 20_000 })
  try {
    if (!(await client.readReply()).startsWith('220')) return false
    await ask(client, 'EHLO app.example')
    return (await send(client, mail())).endsWith('250')
  } finally {
    client.destroy()
  }
}

/** Whether it resolves with anything but false, and after how many milliseconds. */
export async function timed(attempt: () => Promise<unknown>): Promise<Timed> {
  const began = performance.now()
  const ok = await attempt().then(
    (result) => result !== false,
    () => false,
  )
  return { ok, ms: performance.now() - began }
}

export interface Figures {
  readonly failed: number
  /** Milliseconds; 0 without an attempt. */
  readonly p50: number
  readonly p99: number
  readonly max: number
  /** All of them, to print. */
  readonly text: string
}

/** How many of some attempts failed, and how long they took. */
export function figuresOf(attempts: readonly Timed[]): Figures {
  const times = attempts.map(({ ms }) => ms).sort((one, other) => one - other)
  const at = (q: number) => times[Math.floor((times.length - 1) * q)] ?? 0
  const [p50, p99, max] = [at(0.5), at(0.99), at(1)]
  const failed = attempts.filter(({ ok }) => !ok).length
  const [half, most, all] = [p50, p99, max].map((ms) => ms.toFixed(0))
  return { failed, p50, p99, max, text: `${failed} of ${times.length} failed; p50 ${half}, p99 ${most}, max ${all} ms` }
}
