import { type ClientSecurity, type RewrittenEhlo, rewriteEhlo } from './ehlo.ts'

/** Replies that are kept for each kind of security: AhaSend's servers differ in their names only. */
export const MAX_KEPT = 8
/** A longer reply is not kept. */
const MAX_BYTES = 4096

interface Kept {
  readonly reply: Buffer
  /** Absent if the rewrite changes nothing. */
  readonly rewritten?: RewrittenEhlo
}

/** Rewrites EHLO replies, and reuses the result while the upstream sends the same bytes. */
export class EhloRewrites {
  readonly #kept = new Map<ClientSecurity, Kept[]>()

  /** The same as `rewriteEhlo`. */
  rewrite(reply: Buffer, security: ClientSecurity): RewrittenEhlo {
    const known = this.#kept.get(security)?.find((kept) => kept.reply.equals(reply))
    if (!known) return this.#keep(reply, security)
    return known.rewritten ?? { bytes: reply, removed: [], added: [] }
  }

  #keep(reply: Buffer, security: ClientSecurity): RewrittenEhlo {
    const rewritten = rewriteEhlo(reply, security)
    if (reply.length > MAX_BYTES) return rewritten
    const kept = this.#kept.get(security) ?? []
    this.#kept.set(security, kept)
    // a copy, because the reply may be part of a larger buffer
    kept.unshift({ reply: Buffer.from(reply), ...(rewritten.bytes !== reply && { rewritten }) })
    if (kept.length > MAX_KEPT) kept.pop()
    return rewritten
  }
}
