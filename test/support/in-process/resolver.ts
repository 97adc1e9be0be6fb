import dns from 'node:dns/promises'
import { syncBuiltinESMExports } from 'node:module'
import net from 'node:net'
import { mock } from 'node:test'

/** What the resolver says to one name: its addresses, or an error code such as `EAI_AGAIN`; a promise answers late. */
export type Answer = readonly string[] | string | Promise<readonly string[] | string>

/** A resolver that the test writes, in place of the machine's, for everything that asks by `dns.promises.lookup`. */
export class Names {
  /** The names asked for, in order. */
  readonly asked: string[] = []
  readonly #answers: Map<string, Answer>

  constructor(answers: Readonly<Record<string, Answer>>) {
    this.#answers = new Map(Object.entries(answers))
    mock.method(dns, 'lookup', ((host: string) => this.#lookup(host)) as never)
    syncBuiltinESMExports()
  }

  /** From now on the name is answered so. */
  set(name: string, answer: Answer): void {
    this.#answers.set(name, answer)
  }

  async #lookup(host: string): Promise<{ address: string; family: number }[]> {
    this.asked.push(host)
    const answer = await (this.#answers.get(host) ?? 'ENOTFOUND')
    if (typeof answer !== 'string') return answer.map((address) => ({ address, family: net.isIP(address) }))
    throw Object.assign(new Error(`getaddrinfo ${answer} ${host}`), { code: answer, syscall: 'getaddrinfo' })
  }

  /** Gives the machine its own resolver back. */
  [Symbol.dispose](): void {
    mock.restoreAll()
    syncBuiltinESMExports()
  }
}
