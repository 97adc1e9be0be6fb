import dns from 'node:dns/promises'
import { syncBuiltinESMExports } from 'node:module'
import net from 'node:net'
import { mock } from 'node:test'

/** The resolver's answer for one name: its addresses, or an error code such as `EAI_AGAIN`. A promise delays it. */
export type Answer = readonly string[] | string | Promise<readonly string[] | string>

/** Replaces `dns.promises.lookup` of this process by answers of the test. */
export class Names {
  /** The names that were looked up, in order. */
  readonly asked: string[] = []
  readonly #answers: Map<string, Answer>

  constructor(answers: Readonly<Record<string, Answer>>) {
    this.#answers = new Map(Object.entries(answers))
    mock.method(dns, 'lookup', ((host: string) => this.#lookup(host)) as never)
    syncBuiltinESMExports()
  }

  /** Sets the answer for a name. */
  set(name: string, answer: Answer): void {
    this.#answers.set(name, answer)
  }

  async #lookup(host: string): Promise<{ address: string; family: number }[]> {
    this.asked.push(host)
    const answer = await (this.#answers.get(host) ?? 'ENOTFOUND')
    if (typeof answer !== 'string') return answer.map((address) => ({ address, family: net.isIP(address) }))
    throw Object.assign(new Error(`getaddrinfo ${answer} ${host}`), { code: answer, syscall: 'getaddrinfo' })
  }

  /** Restores the original resolver. */
  [Symbol.dispose](): void {
    mock.restoreAll()
    syncBuiltinESMExports()
  }
}
