/**
 * How often a reply reaches the client when the upstream closes immediately after it and leaves client bytes unread.
 * TCP does not guarantee it: the kernel answers the unread bytes with RST, which can destroy the reply. So no single
 * session is a failure, but over a run the proxy must not lose more replies than direct connections do.
 */
import type { Plan } from './plan.ts'
import type { Run } from './play.ts'
import { stampOf } from './reply-bytes.ts'

/** The number of sessions, and how many clients read the reply, directly and through the proxy. */
interface Count {
  sent: number
  direct: number
  proxied: number
}

/** Lost replies that count as chance. Arbitrary: four in a hundred, plus three. */
const allowed = (sent: number) => 3 + 0.04 * sent

/** Counts these replies over a run. */
export class Refusals {
  readonly #counts = new Map<string, Count>()

  note(plan: Plan, direct: Run, proxied: Run): void {
    const { fault } = plan
    if (fault?.side !== 'upstream' || fault.when !== 'after') return
    const reply = plan.groups.flat().flatMap(({ replies }) => replies.filter(({ id }) => id === fault.reply))[0]
    // a reply that the upstream itself follows with a reset is not counted
    if (!reply || fault.how === 'reset' || reply.code < 400) return
    const stamp = stampOf(reply.bytes)!
    const place = reply.after === undefined ? 'after a complete command' : 'inside a body'
    const tls = plan.upstreamTls ? 'TLS' : '?tls=off'
    const key = `${reply.code === 421 ? '421' : 'other refusals'} ${place}, then ${fault.how}, upstream ${tls}`
    const count = this.#counts.get(key) ?? { sent: 0, direct: 0, proxied: 0 }
    this.#counts.set(key, count)
    count.sent += 1
    if (direct.down.includes(stamp)) count.direct += 1
    if (proxied.down.includes(stamp)) count.proxied += 1
  }

  /** Kinds of refusals that the proxy loses more often than a direct connection does. */
  lost(): string[] {
    return this.#lines(({ sent, direct, proxied }) => direct - proxied > allowed(sent))
  }

  toString(): string {
    return this.#lines(() => true)
      .sort()
      .join('\n')
  }

  #lines(wanted: (count: Count) => boolean): string[] {
    return [...this.#counts].flatMap(([key, count]) => {
      const { sent, direct, proxied } = count
      return wanted(count)
        ? [`${key}: of ${sent} sent, ${direct} were read directly, ${proxied} through the proxy`]
        : []
    })
  }
}
